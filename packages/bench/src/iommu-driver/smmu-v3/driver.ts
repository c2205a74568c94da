// iommufd's driver for an SMMUv3 of the hardware model, as Linux's arm-smmu-v3: stage 1 for a device's own domains, stage 2 for nesting parents,
// a guest's stage 1 on top of it through a vIOMMU alone. One instance a thread, over shared words.
//
// Limits: a device has one stream and is a group of its own; no ATS or PRI (its faults stall); virtual StreamIDs have 20 bits; an SMMU with a
// Tegra241 names at most 16 devices in each vIOMMU, of whatever type, and reports no
// error of a guest's queue but in the queue's own registers. A domain's number is its ASID, or its VMID.
import { ERRNO, IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import { armLpae, type Format, type Invalidator } from '@faultline/hw/page-table';
import { idRegisters, type SmmuOps } from '@faultline/hw/smmu-v3';
import { allocNested, freeNested, Vdevices, VirtualArea } from '@faultline/hw/smmu-v3/virtual';
import type { PhysicalMemory } from '@faultline/iommufd';
import {
  type DataStruct,
  type DeviceTraits,
  type DomainGeometry,
  type DriverData,
  type DriverEntries,
  encodeData,
  HW_CAP_DIRTY_TRACKING,
  HW_CAP_PCI_ATS_NOT_SUPPORTED,
  HW_INFO_ARM_SMMUV3,
  HW_INFO_TEGRA241_CMDQV,
  HW_INFO_TYPE_ARM_SMMUV3,
  HW_INFO_TYPE_DEFAULT,
  HW_INFO_TYPE_TEGRA241_CMDQV,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_ARM_SMMUV3,
  HWPT_DATA_ARM_SMMUV3,
  HWPT_FAULT_ID_VALID,
  type HwInfo,
  type IommufdDriver,
  type IovaRange,
  type MmapRegions,
} from '@faultline/iommufd';
import { DOMAIN_NESTED, DriverBase, PagingDomains, readData } from '../common/index.ts';
import { Attachments } from './attachments.ts';
import { orThrow } from './errors.ts';
import {
  CODE_STAGE1,
  CODE_STAGE1_DIRTY,
  CODE_STAGE2,
  DOMAIN_NESTED_NUMBER,
  SCRATCH_STE,
  SMMU_REGION,
  VIRTUAL_REGION,
} from './layout.ts';
import { pasidLog2, type SmmuUnitConfig, scratchAt } from './region.ts';
import { SmmuViommus } from './viommus.ts';

const IOMMU = 1;
/** Pages of 4 KiB, 2 MiB and 1 GiB. */
const GEOMETRY: DomainGeometry = { aperture: { start: 0n, last: 2n ** 48n - 1n }, pageSizes: 0x4020_1000n };
const FORMATS: Readonly<Record<number, Format>> = {
  [CODE_STAGE1]: armLpae({ stage: 1 }),
  [CODE_STAGE1_DIRTY]: armLpae({ stage: 1, dirty: true }),
  [CODE_STAGE2]: armLpae({ stage: 2 }),
};
const ALLOC = 'HWPT_ALLOC';

export interface SmmuIommufdConfig {
  readonly arena: Arena;
  readonly self: ThreadSelf;
  readonly ram: PhysicalMemory;
  /** This thread's own command queue. */
  readonly ops: SmmuOps;
  readonly unit: SmmuUnitConfig;
  readonly ring: () => void;
  /** Where the event pump runs on this very thread: runs it. */
  readonly between?: () => void;
}

export class SmmuIommufdDriver extends DriverBase implements IommufdDriver {
  override readonly domains: PagingDomains;
  readonly area: VirtualArea;
  readonly viommus: SmmuViommus;
  readonly attachments: Attachments;
  readonly #config: SmmuIommufdConfig;
  readonly #words: Words;
  readonly #vdevices: Vdevices;

  constructor(config: SmmuIommufdConfig) {
    super();
    const { arena, self, ops, ram, ring, between } = config;
    this.#config = config;
    this.#words = arena.words;
    this.area = new VirtualArea(arena.words, arena.base(VIRTUAL_REGION));
    this.#vdevices = new Vdevices(this.area, self);
    this.domains = new PagingDomains(arena, self, {
      formatOf: (code) => FORMATS[code],
      invalidatorOf: (domain) => this.#invalidatorOf(domain),
    });
    const shared = { arena, self, ops, ring, area: this.area, vdevices: this.#vdevices };
    this.viommus = new SmmuViommus({ ...shared, ram });
    const log2 = pasidLog2(config.unit);
    this.attachments = new Attachments({ ...shared, domains: this.domains, pasidLog2: log2, between });
  }

  traits(device: number): DeviceTraits {
    const { unit } = this.#config;
    if (device < 1 || device > unit.devices.length)
      throw new IommuError('ENODEV', 'traits', 'device', device, 'there is none');
    const dirty = this.attachments.features.dirtyState ? HW_CAP_DIRTY_TRACKING : 0;
    return {
      iommu: IOMMU,
      group: device,
      coherent: true,
      isolated: true,
      priVirtualFunction: false,
      maxPasidLog2: pasidLog2(unit),
      capabilities: dirty | HW_CAP_PCI_ATS_NOT_SUPPORTED,
    };
  }

  /** None: interrupts are not memory here. */
  reservedRanges(): readonly IovaRange[] {
    return [];
  }

  hwInfo(_device: number, type: number): HwInfo {
    const { arena } = this.#config;
    if (type === HW_INFO_TYPE_DEFAULT || type === HW_INFO_TYPE_ARM_SMMUV3) {
      const [idr0, idr1, idr2, idr3, idr4, idr5] = idRegisters(arena.words, arena.base(SMMU_REGION));
      const bytes = bytesOf(HW_INFO_ARM_SMMUV3, { idr0, idr1, idr2, idr3, idr4, idr5 });
      return { type: HW_INFO_TYPE_ARM_SMMUV3, bytes };
    }
    if (type !== HW_INFO_TYPE_TEGRA241_CMDQV || this.area.queues === 0)
      throw new IommuError('EOPNOTSUPP', 'GET_HW_INFO', 'data_type', type, 'is not of this SMMU');
    const [log2vcmdqs, log2vsids] = [Math.log2(this.area.queues), Math.log2(this.area.pairs)];
    return { type, bytes: bytesOf(HW_INFO_TEGRA241_CMDQV, { version: 1, log2vcmdqs, log2vsids }) };
  }

  /** Parents are stage 2, all others stage 1: with dirty tracking, and for PASIDs. */
  allocPaging(domain: number, _device: number, flags: number, data: DriverData | undefined): DomainGeometry {
    if (data !== undefined)
      throw new IommuError('EOPNOTSUPP', ALLOC, 'data_type', data.type, 'a paging domain takes no data');
    this.domains.allocPaging(domain, this.#codeOf(flags & ~HWPT_FAULT_ID_VALID), flags);
    return GEOMETRY;
  }

  #codeOf(flags: number): number {
    const { stage1, stage2, dirtyState } = this.attachments.features;
    const refuse = (why: string): never => {
      throw new IommuError('EOPNOTSUPP', ALLOC, 'flags', flags, why);
    };
    switch (flags) {
      case HWPT_ALLOC_NEST_PARENT:
        return stage1 && stage2 ? CODE_STAGE2 : refuse('the SMMU does not nest');
      case 0:
      case HWPT_ALLOC_PASID:
        return CODE_STAGE1;
      case HWPT_ALLOC_DIRTY_TRACKING:
      case HWPT_ALLOC_DIRTY_TRACKING | HWPT_ALLOC_PASID:
        return dirtyState ? CODE_STAGE1_DIRTY : refuse('the SMMU tracks nothing');
      default:
        return refuse('stage 2 goes with nothing else');
    }
  }

  /** @throws IommuError EOPNOTSUPP not on a vIOMMU, or a flag; EINVAL data; EFAULT; EIO the entry; ENOMEM */
  allocNested(domain: number, _device: number, parent: number, viommu: number, flags: number, data: DriverData): void {
    if (viommu === 0) throw new IommuError('EOPNOTSUPP', ALLOC, 'pt_id', parent, 'must be a vIOMMU');
    const own = flags & ~HWPT_FAULT_ID_VALID;
    if (own !== 0) throw new IommuError('EOPNOTSUPP', ALLOC, 'flags', own, 'are not for a guest’s entry');
    if (data.type !== HWPT_DATA_ARM_SMMUV3)
      throw new IommuError('EINVAL', ALLOC, 'data_type', data.type, 'is not that of an SMMUv3');
    const { ste0, ste1 } = readData(ALLOC, HWPT_ARM_SMMUV3, data);
    const { arena, self } = this.#config;
    const at = scratchAt(arena, self.id) + SCRATCH_STE;
    [ste0, ste0 >> 32n, ste1, ste1 >> 32n].forEach((half, i) => {
      this.#words[at + i] = Number(BigInt.asIntN(32, half));
    });
    const number = allocNested(this.area, this.viommus.vsmmuOf(viommu), 0, at);
    if (number === -ERRNO.ENOSPC) throw new IommuError('ENOMEM', ALLOC, 'nested', this.area.domains, 'all are in use');
    orThrow(number, ALLOC, 'ste', `${ste0.toString(16)} ${ste1.toString(16)}`, 'is not a guest’s to ask for');
    this.domains.allocNested(domain, parent, viommu, flags);
    this.#words[this.domains.rowAt(domain) + DOMAIN_NESTED_NUMBER] = number;
  }

  freeDomain(domain: number): void {
    if (this.domains.kindOf(domain) === DOMAIN_NESTED) {
      const number = this.#words[this.domains.rowAt(domain) + DOMAIN_NESTED_NUMBER];
      orThrow(freeNested(this.area, number), 'freeDomain', 'domain', domain, 'is attached');
    }
    this.domains.free(domain);
  }

  /** Abort and bypass have neither invalidations nor events of their own. */
  needsVdevice(domain: number): boolean {
    return this.attachments.translates(domain);
  }
  attach(device: number, pasid: number, domain: number): void {
    this.attachments.attach(device, pasid, domain);
  }
  detach(device: number, pasid: number): void {
    this.attachments.detach(device, pasid);
  }

  /** A guest's commands name its VMID's translations: they go to its vIOMMU. */
  invalidateDomain(domain: number): void {
    throw new IommuError('EOPNOTSUPP', 'HWPT_INVALIDATE', 'hwpt_id', domain, 'its vIOMMU takes the commands');
  }

  hasViommu(_device: number, type: number): boolean {
    const { stage1, stage2 } = this.attachments.features;
    return stage1 && stage2 && this.viommus.has(type);
  }
  allocViommu(
    viommu: number,
    _device: number,
    type: number,
    parent: number,
    data: DriverData | undefined,
    regions: MmapRegions,
  ): void {
    this.viommus.alloc(viommu, type, parent, data, regions);
  }
  freeViommu(viommu: number): void {
    this.viommus.free(viommu);
  }
  invalidateViommu(viommu: number, entries: DriverEntries): void {
    this.viommus.invalidate(viommu, entries);
  }

  /** @throws IommuError EINVAL a virtual StreamID of more than 20 bits; EEXIST; ENOMEM no room, or no pair of registers */
  allocVdevice(viommu: number, device: number, virtId: bigint): void {
    const call = 'VDEVICE_ALLOC';
    const result = this.#vdevices.alloc(this.viommus.vsmmuOf(viommu), device, Number(virtId));
    if (result === -ERRNO.ENOSPC) throw new IommuError('ENOMEM', call, 'sid pairs', this.area.pairs, 'all are in use');
    orThrow(result, call, 'virt_id', virtId, 'is taken, or has more than 20 bits');
  }
  freeVdevice(_viommu: number, device: number): void {
    orThrow(this.#vdevices.destroyNow(device), 'freeVdevice', 'device', device, 'has none');
  }

  hasHwQueue(viommu: number, type: number): boolean {
    return this.viommus.hasHwQueue(viommu, type);
  }
  allocHwQueue(viommu: number, _type: number, index: number, _iova: bigint, physical: number, bytes: bigint): number {
    return this.viommus.allocHwQueue(viommu, index, physical, Number(bytes));
  }
  freeHwQueue(viommu: number, index: number): void {
    this.viommus.freeHwQueue(viommu, index);
  }

  /** A parent's pages are found under its own tag; what guests' stage 1 made of them is under their ASIDs, and goes whole. */
  #invalidatorOf(domain: number): Invalidator {
    const { ops, self } = this.#config;
    const isStage2 = this.domains.codeOf(domain) === CODE_STAGE2;
    return {
      invalidate(first, last, tables) {
        const pages = last - first + 1;
        const [lo, hi] = [first | 0, Math.floor(first / 2 ** 32)];
        if (isStage2) ops.invalidateVmid(domain);
        else if (tables) ops.invalidateAsid(domain);
        else ops.invalidateRange(domain, lo, hi, pages);
      },
      sync: () => ops.sync(self),
    };
  }
}

function bytesOf<S extends DataStruct>(struct: S, args: Parameters<typeof encodeData<S>>[1]): Uint8Array {
  const bytes = new Uint8Array(struct.bytes);
  encodeData(struct, args, new DataView(bytes.buffer));
  return bytes;
}
