// The kernel's mock IOMMU: every error and every feature, no hardware. One instance a thread over shared words.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import type { PhysicalMemory } from '../../caller/index.ts';
import type {
  DeviceTraits,
  DirtySink,
  DomainGeometry,
  DriverData,
  DriverEntries,
  HwInfo,
  IommufdDriver,
  IovaRange,
  MmapRegions,
  VirtualDevices,
} from '../../driver/index.ts';
import {
  HW_CAP_DIRTY_TRACKING,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
} from '../../uapi/index.ts';
import {
  MOCK_APERTURE_LAST,
  MOCK_APERTURE_START,
  MOCK_CACHE_ENTRIES,
  MOCK_DEV_CACHE_DEFAULT,
  MOCK_DEV_NO_DIRTY,
  MOCK_DEV_PASID,
  MOCK_HUGE_BYTES,
  MOCK_HW_INFO_REG,
  MOCK_HW_INFO_TYPE,
  MOCK_PAGE_BYTES,
  MOCK_PAGE_TABLE_DEFAULT,
  MOCK_PAGE_TABLE_HUGE,
  MOCK_PASID_LG2,
  MOCK_PASID_RESERVED,
} from './constants.ts';
import { DomainPages } from './domain-pages.ts';
import {
  MOCK_DEVICE_CACHE,
  MOCK_DEVICE_FAILS,
  MOCK_DEVICE_FLAGS,
  MOCK_DEVICE_GROUP,
  MOCK_DEVICE_STATE,
  MOCK_DEVICE_WORDS,
  MOCK_DOMAIN_CAN_TRACK,
  MOCK_DOMAIN_HUGE,
  MOCK_DOMAIN_IOTLB,
  MOCK_DOMAIN_KIND,
  MOCK_DOMAIN_PARENT,
  MOCK_DOMAIN_TRACKING,
  MOCK_DOMAIN_VIOMMU,
  MOCK_DOMAIN_WORDS,
  MOCK_NESTED,
  MOCK_PAGING,
} from './layout.ts';
import { invalidateCache, readHwptData } from './nested.ts';
import { PageMap } from './page-map.ts';
import { MOCK_DEVICES_REGION, MOCK_DOMAINS_REGION, MOCK_PAGES_REGION } from './region.ts';
import { MockViommus } from './viommu.ts';

const APERTURE: IovaRange = { start: MOCK_APERTURE_START, last: MOCK_APERTURE_LAST };
/** By page table: as in the kernel's mock up to 6.18, whose huge one says 4096 in place of 2048 from then on. */
const GEOMETRIES: Readonly<Record<number, DomainGeometry>> = {
  [MOCK_PAGE_TABLE_DEFAULT]: { aperture: APERTURE, pageSizes: BigInt(MOCK_PAGE_BYTES) },
  [MOCK_PAGE_TABLE_HUGE]: { aperture: APERTURE, pageSizes: BigInt(MOCK_PAGE_BYTES | MOCK_HUGE_BYTES) },
};

const PAGING_FLAGS = HWPT_ALLOC_DIRTY_TRACKING | HWPT_ALLOC_NEST_PARENT | HWPT_ALLOC_PASID | HWPT_FAULT_ID_VALID;
const NESTED_FLAGS = HWPT_ALLOC_PASID | HWPT_FAULT_ID_VALID;

export class MockDriver implements IommufdDriver {
  /** All domains' pages, and */
  readonly pages: PageMap;
  /** the same by what is done to them. */
  readonly mapped: DomainPages;
  readonly viommus: MockViommus;
  readonly #words: Words;
  readonly #devices: number;
  readonly #domains: number;
  readonly #deviceWords: number;

  constructor(arena: Arena, self: ThreadSelf, ram: PhysicalMemory) {
    this.#words = arena.words;
    this.#devices = arena.base(MOCK_DEVICES_REGION);
    this.#domains = arena.base(MOCK_DOMAINS_REGION);
    this.#deviceWords = arena.sizeWords(MOCK_DEVICES_REGION);
    this.pages = new PageMap(arena.words, arena.base(MOCK_PAGES_REGION), self);
    this.mapped = new DomainPages(arena, this.pages);
    this.viommus = new MockViommus(arena, self, ram);
  }

  /** Makes a device. @param flags MOCK_DEV_*. */
  addDevice(device: number, flags: number): void {
    const at = this.deviceAt(device);
    this.#words.fill(0, at + MOCK_DEVICE_FLAGS, at + MOCK_DEVICE_WORDS);
    this.#words[at + MOCK_DEVICE_FLAGS] = flags;
    this.#words[at + MOCK_DEVICE_GROUP] = device;
    this.#words.fill(MOCK_DEV_CACHE_DEFAULT, at + MOCK_DEVICE_CACHE, at + MOCK_DEVICE_CACHE + MOCK_CACHE_ENTRIES);
    Atomics.store(this.#words, at + MOCK_DEVICE_STATE, 1); // publishes the others to traits' load
  }

  /** Makes a device under the lowest free number. @throws IommuError EINVAL flags, ENOMEM */
  plugDevice(call: string, flags: number): number {
    if ((flags & ~(MOCK_DEV_NO_DIRTY | MOCK_DEV_PASID)) !== 0)
      throw new IommuError('EINVAL', call, 'dev_flags', flags, 'has bits that are not known');
    const devices = Math.floor(this.#deviceWords / MOCK_DEVICE_WORDS) - 1;
    for (let device = 1; device <= devices; device++) {
      const at = this.deviceAt(device) + MOCK_DEVICE_STATE;
      if (Atomics.compareExchange(this.#words, at, 0, -1) !== 0) continue;
      this.addDevice(device, flags);
      return device;
    }
    throw new IommuError('ENOMEM', call, 'devices', devices, 'all numbers are taken');
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
    if (Atomics.load(this.#words, at + MOCK_DEVICE_STATE) !== 1)
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

  allocPaging(domain: number, device: number, flags: number, data: DriverData | undefined): DomainGeometry {
    const pageTable = data === undefined ? MOCK_PAGE_TABLE_DEFAULT : readHwptData(data, 'EINVAL').pageTable;
    const canTrack = (flags & HWPT_ALLOC_DIRTY_TRACKING) !== 0;
    if ((flags & ~PAGING_FLAGS) !== 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'has bits that the mock has not');
    if (canTrack && (this.traits(device).capabilities & HW_CAP_DIRTY_TRACKING) === 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'the device cannot track dirty pages');
    if (pageTable !== MOCK_PAGE_TABLE_DEFAULT && pageTable !== MOCK_PAGE_TABLE_HUGE)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'pagetable_type', pageTable, 'is not known');
    const at = this.#freshDomain(domain, MOCK_PAGING);
    this.#words[at + MOCK_DOMAIN_CAN_TRACK] = canTrack ? 1 : 0;
    this.#words[at + MOCK_DOMAIN_HUGE] = pageTable === MOCK_PAGE_TABLE_HUGE ? 1 : 0;
    return GEOMETRIES[pageTable];
  }

  allocNested(domain: number, _device: number, parent: number, viommu: number, flags: number, data: DriverData): void {
    if ((flags & ~NESTED_FLAGS) !== 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'has bits that the mock has not');
    const { iotlb } = readHwptData(data, 'EOPNOTSUPP');
    const at = this.#freshDomain(domain, MOCK_NESTED);
    this.#words[at + MOCK_DOMAIN_PARENT] = parent;
    this.#words[at + MOCK_DOMAIN_VIOMMU] = viommu;
    this.#words.fill(iotlb, at + MOCK_DOMAIN_IOTLB, at + MOCK_DOMAIN_IOTLB + MOCK_CACHE_ENTRIES);
  }

  #freshDomain(domain: number, kind: number): number {
    const at = this.domainAt(domain);
    this.#words.fill(0, at, at + MOCK_DOMAIN_WORDS);
    this.#words[at + MOCK_DOMAIN_KIND] = kind;
    return at;
  }

  freeDomain(domain: number): void {
    this.#words[this.domainAt(domain) + MOCK_DOMAIN_KIND] = 0;
  }

  attach(device: number, pasid: number, domain: number, _old: number): void {
    const words = this.#words;
    const at = this.deviceAt(device);
    const cannotTrack = (words[at + MOCK_DEVICE_FLAGS] & MOCK_DEV_NO_DIRTY) !== 0;
    if (pasid === 0 && cannotTrack && words[this.domainAt(domain) + MOCK_DOMAIN_CAN_TRACK] !== 0)
      throw new IommuError('EINVAL', 'attach', 'device', device, 'cannot track dirty pages, as the domain does');
    if (pasid === 0) this.viommus.attached(device, words[this.domainAt(domain) + MOCK_DOMAIN_VIOMMU]);
    if (pasid !== MOCK_PASID_RESERVED) return;
    const fails = words[at + MOCK_DEVICE_FAILS] === 1;
    words[at + MOCK_DEVICE_FAILS] = fails ? 0 : 1;
    if (fails) throw new IommuError('ENOMEM', 'attach', 'pasid', pasid, 'fails every second time, on purpose');
  }

  detach(device: number, pasid: number, _domain: number): void {
    if (pasid === 0) this.viommus.attached(device, 0);
    if (pasid === MOCK_PASID_RESERVED) this.#words[this.deviceAt(device) + MOCK_DEVICE_FAILS] = 0;
  }

  map(domain: number, iova: bigint, physical: number, bytes: number, prot: number): void {
    const huge = this.#words[this.domainAt(domain) + MOCK_DOMAIN_HUGE] !== 0;
    this.mapped.map(domain, iova, physical, bytes, prot, huge);
  }

  unmap(domain: number, iova: bigint, bytes: bigint): void {
    this.mapped.unmap(domain, iova, bytes);
  }

  syncUnmaps(_domain: number): void {}

  iovaToPhys(domain: number, iova: bigint): number {
    return this.mapped.physical(domain, iova);
  }

  /** Where a device's access to its domain goes, -1: it faults. A write is tracked. */
  access(domain: number, iova: bigint, write: boolean): number {
    return this.mapped.translate(domain, iova, write, this.isTracking(domain));
  }

  isTracking(domain: number): boolean {
    return Atomics.load(this.#words, this.domainAt(domain) + MOCK_DOMAIN_TRACKING) === 1;
  }

  setDirtyTracking(domain: number, enable: boolean): void {
    const at = this.domainAt(domain);
    if (this.#words[at + MOCK_DOMAIN_CAN_TRACK] === 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_SET_DIRTY_TRACKING', 'domain', domain, 'was not made for it');
    Atomics.store(this.#words, at + MOCK_DOMAIN_TRACKING, enable ? 1 : 0);
  }

  readDirty(domain: number, iova: bigint, bytes: bigint, keep: boolean, sink: DirtySink | undefined): void {
    this.mapped.readDirty(domain, iova, bytes, keep, sink);
  }

  syncDirty(_domain: number): void {}

  invalidateDomain(domain: number, entries: DriverEntries): void {
    const at = this.domainAt(domain) + MOCK_DOMAIN_IOTLB;
    invalidateCache(entries, (entry) => {
      this.#words[at + entry] = 0;
    });
  }

  hasViommu(_device: number, type: number): boolean {
    return this.viommus.has(type);
  }
  allocViommu(
    viommu: number,
    _device: number,
    _type: number,
    parent: number,
    data: DriverData | undefined,
    regions: MmapRegions,
  ): void {
    this.viommus.alloc(viommu, parent, data, regions);
  }
  freeViommu(viommu: number): void {
    this.viommus.free(viommu);
  }
  invalidateViommu(_viommu: number, entries: DriverEntries, devices: VirtualDevices): void {
    this.viommus.invalidate(entries, devices);
  }
  allocVdevice(_viommu: number, device: number, virtId: bigint): void {
    this.viommus.setVirtId(device, virtId);
  }
  freeVdevice(_viommu: number, device: number, _virtId: bigint): void {
    this.viommus.setVirtId(device, 0n);
  }
  hasHwQueue(_viommu: number, type: number): boolean {
    return this.viommus.hasHwQueue(type);
  }
  allocHwQueue(viommu: number, _type: number, index: number, iova: bigint, physical: number): number {
    return this.viommus.allocHwQueue(viommu, index, (parent) => this.iovaToPhys(parent, iova) === physical);
  }
  freeHwQueue(viommu: number, index: number): void {
    this.viommus.freeHwQueue(viommu, index);
  }
}
