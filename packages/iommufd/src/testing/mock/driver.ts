// The kernel's mock IOMMU: every error and every feature, no hardware. One instance a thread over shared words.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import type {
  DeviceTraits,
  DirtySink,
  DomainGeometry,
  DriverData,
  DriverEntries,
  HwInfo,
  IommufdDriver,
  IovaRange,
} from '../../driver/index.ts';
import {
  HW_CAP_DIRTY_TRACKING,
  HWPT_ALLOC_DIRTY_TRACKING,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
} from '../../uapi/index.ts';
import {
  MOCK_APERTURE_LAST,
  MOCK_APERTURE_START,
  MOCK_DEV_NO_DIRTY,
  MOCK_DEV_PASID,
  MOCK_HUGE_BYTES,
  MOCK_HW_INFO_REG,
  MOCK_HW_INFO_TYPE,
  MOCK_PAGE_BYTES,
  MOCK_PASID_LG2,
} from './constants.ts';
import {
  MOCK_DEVICE_FLAGS,
  MOCK_DEVICE_GROUP,
  MOCK_DEVICE_STATE,
  MOCK_DEVICE_WORDS,
  MOCK_DOMAIN_CAN_TRACK,
  MOCK_DOMAIN_HUGE,
  MOCK_DOMAIN_KIND,
  MOCK_DOMAIN_TRACKING,
  MOCK_DOMAIN_WORDS,
  MOCK_PAGING,
} from './layout.ts';
import { MAPPED_DIRTY, MAPPED_READ, MAPPED_WRITE, PageMap } from './page-map.ts';
import { MOCK_DEVICES_REGION, MOCK_DOMAINS_REGION, MOCK_PAGES_REGION } from './region.ts';

const GEOMETRY: DomainGeometry = {
  aperture: { start: MOCK_APERTURE_START, last: MOCK_APERTURE_LAST },
  pageBytes: MOCK_PAGE_BYTES,
};

export class MockDriver implements IommufdDriver {
  readonly pages: PageMap;
  readonly #words: Words;
  readonly #devices: number;
  readonly #domains: number;

  constructor(arena: Arena, self: ThreadSelf) {
    this.#words = arena.words;
    this.#devices = arena.base(MOCK_DEVICES_REGION);
    this.#domains = arena.base(MOCK_DOMAINS_REGION);
    this.pages = new PageMap(arena.words, arena.base(MOCK_PAGES_REGION), self);
  }

  /** Makes a device. @param flags MOCK_DEV_*. */
  addDevice(device: number, flags: number): void {
    const at = this.deviceAt(device);
    this.#words[at + MOCK_DEVICE_FLAGS] = flags;
    this.#words[at + MOCK_DEVICE_GROUP] = device;
    Atomics.store(this.#words, at + MOCK_DEVICE_STATE, 1); // publishes the two to traits' load
  }

  removeDevice(device: number): void {
    Atomics.store(this.#words, this.deviceAt(device) + MOCK_DEVICE_STATE, 0);
  }

  deviceAt(device: number): number {
    return this.#devices + device * MOCK_DEVICE_WORDS;
  }
  domainAt(domain: number): number {
    return this.#domains + domain * MOCK_DOMAIN_WORDS;
  }

  traits(device: number): DeviceTraits {
    const at = this.deviceAt(device);
    if (Atomics.load(this.#words, at + MOCK_DEVICE_STATE) === 0)
      throw new IommuError('ENODEV', 'MockDriver.traits', 'device', device, 'there is no such device');
    const flags = this.#words[at + MOCK_DEVICE_FLAGS];
    return {
      iommu: 1,
      group: this.#words[at + MOCK_DEVICE_GROUP],
      coherent: true,
      isolated: true,
      priVirtualFunction: false,
      maxPasidLog2: (flags & MOCK_DEV_PASID) !== 0 ? MOCK_PASID_LG2 : 0,
      capabilities: (flags & MOCK_DEV_NO_DIRTY) !== 0 ? 0 : HW_CAP_DIRTY_TRACKING,
    };
  }

  reservedRanges(_device: number): readonly IovaRange[] {
    return [];
  }

  hwInfo(_device: number, type: number): HwInfo | undefined {
    if (type !== 0 && type !== MOCK_HW_INFO_TYPE)
      throw new IommuError('EOPNOTSUPP', 'GET_HW_INFO', 'in_data_type', type, 'is not the type of the mock');
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(4, MOCK_HW_INFO_REG, true);
    return { type: MOCK_HW_INFO_TYPE, bytes };
  }

  allocPaging(domain: number, device: number, flags: number, _data: DriverData | undefined): DomainGeometry {
    const at = this.domainAt(domain);
    const canTrack = (flags & HWPT_ALLOC_DIRTY_TRACKING) !== 0;
    if (canTrack && (this.traits(device).capabilities & HW_CAP_DIRTY_TRACKING) === 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'the device cannot track dirty pages');
    this.#words.fill(0, at, at + MOCK_DOMAIN_WORDS);
    this.#words[at + MOCK_DOMAIN_CAN_TRACK] = canTrack ? 1 : 0;
    this.#words[at + MOCK_DOMAIN_KIND] = MOCK_PAGING;
    return GEOMETRY;
  }

  allocNested(
    _domain: number,
    _device: number,
    _parent: number,
    _viommu: number,
    flags: number,
    _data: DriverData,
  ): void {
    throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'the mock has no nested domains');
  }

  freeDomain(domain: number): void {
    this.#words[this.domainAt(domain) + MOCK_DOMAIN_KIND] = 0;
  }

  attach(device: number, _pasid: number, domain: number, _old: number): void {
    const cannotTrack = (this.#words[this.deviceAt(device) + MOCK_DEVICE_FLAGS] & MOCK_DEV_NO_DIRTY) !== 0;
    if (cannotTrack && this.#words[this.domainAt(domain) + MOCK_DOMAIN_CAN_TRACK] !== 0)
      throw new IommuError('EINVAL', 'attach', 'device', device, 'cannot track dirty pages, as the domain does');
  }

  detach(_device: number, _pasid: number, _domain: number): void {}

  map(domain: number, iova: bigint, physical: number, bytes: number, prot: number): void {
    const first = Number(iova) / MOCK_PAGE_BYTES;
    const memory = physical / MOCK_PAGE_BYTES;
    const flags =
      ((prot & IOAS_MAP_READABLE) !== 0 ? MAPPED_READ : 0) | ((prot & IOAS_MAP_WRITEABLE) !== 0 ? MAPPED_WRITE : 0);
    this.pages.locked(() => {
      for (let i = 0; i < bytes / MOCK_PAGE_BYTES; i++) {
        try {
          this.pages.add(domain, first + i, memory + i, flags);
        } catch (error) {
          for (let back = 0; back < i; back++) this.pages.remove(domain, first + back);
          throw error;
        }
      }
    });
  }

  unmap(domain: number, iova: bigint, bytes: bigint): void {
    const first = Number(iova) / MOCK_PAGE_BYTES;
    this.pages.locked(() => {
      for (let i = 0; i < Number(bytes) / MOCK_PAGE_BYTES; i++)
        if (!this.pages.remove(domain, first + i))
          throw new IommuError('EINVAL', 'MockDriver.unmap', 'iova', iova, `page ${i} from here is not mapped`);
    });
  }

  syncUnmaps(_domain: number): void {}

  iovaToPhys(domain: number, iova: bigint): number {
    const page = Number(iova) / MOCK_PAGE_BYTES;
    const memory = this.pages.locked(() => this.pages.memoryOf(domain, Math.floor(page)));
    return memory < 0 ? -1 : memory * MOCK_PAGE_BYTES + (Number(iova) % MOCK_PAGE_BYTES);
  }

  setDirtyTracking(domain: number, enable: boolean): void {
    const at = this.domainAt(domain);
    if (this.#words[at + MOCK_DOMAIN_CAN_TRACK] === 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_SET_DIRTY_TRACKING', 'domain', domain, 'was not made for it');
    Atomics.store(this.#words, at + MOCK_DOMAIN_TRACKING, enable ? 1 : 0);
  }

  readDirty(domain: number, iova: bigint, bytes: bigint, keep: boolean, sink: DirtySink | undefined): void {
    const words = this.#words;
    const huge = words[this.domainAt(domain) + MOCK_DOMAIN_HUGE] !== 0;
    const leaf = huge ? MOCK_HUGE_BYTES / MOCK_PAGE_BYTES : 1;
    const first = Number(iova) / MOCK_PAGE_BYTES;
    const end = first + Number(bytes) / MOCK_PAGE_BYTES;
    for (let page = first; page < end; page++) {
      this.pages.locked(() => {
        const at = this.pages.flagsAt(domain, page);
        if (at === 0 || (words[at] & MAPPED_DIRTY) === 0) return;
        if (!keep) words[at] &= ~MAPPED_DIRTY;
        const start = page - (page % leaf);
        sink?.mark(BigInt(start * MOCK_PAGE_BYTES), BigInt((start + leaf) * MOCK_PAGE_BYTES - 1));
      });
    }
  }

  syncDirty(_domain: number): void {}

  invalidateDomain(_domain: number, entries: DriverEntries): void {
    throw new IommuError('EOPNOTSUPP', 'HWPT_INVALIDATE', 'data_type', entries.type, 'the mock has no nested domains');
  }

  allocViommu(_viommu: number, _device: number, type: number): void {
    throw new IommuError('EOPNOTSUPP', 'VIOMMU_ALLOC', 'type', type, 'the mock has no such vIOMMU');
  }
  freeViommu(_viommu: number): void {}
  invalidateViommu(_viommu: number, entries: DriverEntries): void {
    throw new IommuError('EOPNOTSUPP', 'HWPT_INVALIDATE', 'data_type', entries.type, 'the mock has no vIOMMU');
  }
  allocVdevice(_viommu: number, _device: number, _virtId: bigint): void {}
  freeVdevice(_viommu: number, _device: number, _virtId: bigint): void {}
  veventBytes(_viommu: number, _type: number): number {
    return 0;
  }
  allocHwQueue(_viommu: number, type: number): number {
    throw new IommuError('EOPNOTSUPP', 'HW_QUEUE_ALLOC', 'type', type, 'the mock has no such queue');
  }
  freeHwQueue(_viommu: number, _index: number): void {}
}
