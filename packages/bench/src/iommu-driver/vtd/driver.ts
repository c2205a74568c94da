// IommufdDriver over a VT-d unit of hw's.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { Doorbell, ThreadSelf, Words } from '@faultline/core/sync';
import { AtsCapability, PriCapability } from '@faultline/hw/pcie';
import {
  type Procedure,
  readCapabilityRegisters,
  type VtdDomain,
  type VtdFeatures,
  type VtdOps,
  VtdProcedures,
} from '@faultline/hw/vtd';
import {
  type DeviceTraits,
  type DomainGeometry,
  type DriverData,
  type DriverEntries,
  encodeData,
  HW_CAP_DIRTY_TRACKING,
  HW_CAP_PCI_ATS_NOT_SUPPORTED,
  HW_INFO_TYPE_DEFAULT,
  HW_INFO_TYPE_INTEL_VTD,
  HW_INFO_VTD,
  HW_INFO_VTD_ERRATA_772415_SPR17,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
  type HwInfo,
  type IommufdDriver,
  type IovaRange,
  VTD_S1_EAFE,
  VTD_S1_SRE,
  VTD_S1_WPE,
} from '@faultline/iommufd';
import {
  ATTACHED_FAULTS,
  AttachedDomains,
  DOMAIN_NESTED,
  DriverWithoutViommu,
  type InvalidatorParts,
  PagingDomains,
  type Requester,
  Requesters,
  runBlocking,
} from '../common/index.ts';
import { SharedBooks } from './books.ts';
import { formatOf, geometryOf } from './formats.ts';
import { DomainInvalidator } from './invalidator.ts';
import {
  CODE_FIRST_FIVE,
  CODE_FIRST_FOUR,
  CODE_SECOND,
  CODE_SECOND_WRITEABLE,
  NESTED_ROOT,
  NESTED_S1_FLAGS,
  NESTED_WIDTH,
  VTD_UNIT_REGION,
} from './layout.ts';
import { checkFirstStage, type FirstStage, readFirstStage, readInvalidations } from './nested.ts';

const FIRST_FLAGS = HWPT_ALLOC_PASID | HWPT_FAULT_ID_VALID;
const SECOND_FLAGS = FIRST_FLAGS | HWPT_ALLOC_DIRTY_TRACKING | HWPT_ALLOC_NEST_PARENT;
const NESTED_FLAGS = HWPT_ALLOC_PASID | HWPT_FAULT_ID_VALID;
/** Page requests of a device outstanding at most. @see Linux PRQ_DEPTH; its drivers ask for 32 */
const PAGE_REQUESTS = 32;
/** Where writes are interrupts. */
const INTERRUPTS: IovaRange = { start: 0xfee00000n, last: 0xfeefffffn };

export interface VtdIommufdDriverConfig {
  readonly self: ThreadSelf;
  /** This thread's, which may also be the machine's `ops`. */
  readonly ops: VtdOps;
  readonly hardwareDoorbell: Doorbell;
  /** Runs hardware, pump and devices where they are on this thread. Default: they are on others, and are waited for. */
  readonly between?: () => void;
  /** The unit has the erratum by which parents of nested domains take no read-only mappings. Default false. */
  readonly errata772415?: boolean;
  /** As VtdProceduresConfig. */
  readonly timeoutMs?: number;
}

/** One thread's driver of a unit; all that it knows is in shared words, so that what one thread attaches another detaches. Domain ids are the
 * core's domain numbers. Tables of the host are in memory of their own, which no device can reach; a guest's are in the machine's RAM.
 *
 * As with Linux: a domain is of the first stage unless it is a nesting parent or tracks dirty pages, and what a nested domain asks of the unit
 * is looked at when it is attached. Unlike it: dirty bits are set from the time of the attaching on, and merely not reported while tracking is
 * off; there is one unit; no vIOMMU.
 * @see Linux drivers/iommu/intel/iommu.c, nested.c */
export class VtdIommufdDriver extends DriverWithoutViommu implements IommufdDriver {
  override readonly domains: PagingDomains;
  readonly attached: AttachedDomains;
  readonly devices: Requesters;
  readonly #words: Words;
  readonly #unitAt: number;
  readonly #config: VtdIommufdDriverConfig;
  readonly #features: VtdFeatures;
  readonly #procedures: VtdProcedures;
  readonly #invalidators: InvalidatorParts<VtdOps>;

  constructor(arena: Arena, config: VtdIommufdDriverConfig) {
    super();
    const { words } = arena;
    const { self, ops, hardwareDoorbell, between, timeoutMs } = config;
    this.#words = words;
    this.#unitAt = arena.base(VTD_UNIT_REGION);
    this.#config = config;
    this.devices = new Requesters(arena);
    this.attached = new AttachedDomains(arena, self);
    const invalidatorOf = (domain: number): DomainInvalidator => new DomainInvalidator(this.#invalidators, domain);
    this.domains = new PagingDomains(arena, self, { formatOf, invalidatorOf });
    const { attached, devices, domains } = this;
    this.#invalidators = { words, ops, domains, attached, devices, between };
    const books = new SharedBooks(devices, attached, (domain, faults) => this.#describe(domain, faults));
    this.#procedures = new VtdProcedures(words, this.#unitAt, {
      ...{ ops, hardwareDoorbell, books },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    this.#features = this.#procedures.probe();
  }

  /** Switches the unit on, once for all threads. @throws IommuError ETIMEDOUT */
  enable(): void {
    this.#run(this.#procedures.enable());
  }

  /** Lets a device in, blocked until something is attached, with ATS on. @throws IommuError ENODEV no such requester, EBUSY, ETIMEDOUT */
  addDevice(device: Requester): void {
    this.devices.add(device);
    try {
      this.#run(this.#procedures.attachDevice(device.rid, device.device, device.functionAt !== undefined));
    } catch (error) {
      this.devices.remove(device.device);
      throw error;
    }
    if (device.functionAt !== undefined) new AtsCapability(this.#words, device.functionAt).enable(12);
  }

  /** Takes a device out that nothing is attached to. @throws IommuError ENODEV, ETIMEDOUT */
  removeDevice(device: number): void {
    const { rid, functionAt } = this.devices.get(device);
    this.#run(this.#procedures.detachDevice(rid));
    if (functionAt !== 0) new AtsCapability(this.#words, functionAt).disable();
    this.devices.remove(device);
  }

  traits(device: number): DeviceTraits {
    const { group, pasidsLog2, functionAt } = this.devices.get(device);
    return {
      ...{ iommu: 1, group, coherent: true, isolated: true, priVirtualFunction: false },
      maxPasidLog2: Math.min(pasidsLog2, this.#features.pasidBits),
      capabilities:
        (this.#features.secondLevelDirty ? HW_CAP_DIRTY_TRACKING : 0) |
        (functionAt === 0 ? HW_CAP_PCI_ATS_NOT_SUPPORTED : 0),
    };
  }

  reservedRanges(_device: number): readonly IovaRange[] {
    return [INTERRUPTS];
  }

  hwInfo(_device: number, type: number): HwInfo {
    if (type !== HW_INFO_TYPE_DEFAULT && type !== HW_INFO_TYPE_INTEL_VTD)
      throw new IommuError('EOPNOTSUPP', 'GET_HW_INFO', 'in_data_type', type, 'is not VT-d’s');
    const { cap, ecap } = readCapabilityRegisters(this.#words, this.#unitAt);
    const bytes = new Uint8Array(HW_INFO_VTD.bytes);
    const flags = this.#config.errata772415 === true ? HW_INFO_VTD_ERRATA_772415_SPR17 : 0;
    encodeData(HW_INFO_VTD, { flags, capReg: cap, ecapReg: ecap }, new DataView(bytes.buffer));
    return { type: HW_INFO_TYPE_INTEL_VTD, bytes };
  }

  allocPaging(domain: number, device: number, flags: number, data: DriverData | undefined): DomainGeometry {
    const has = this.#features;
    this.devices.get(device);
    const refuse = (field: string, value: number, why: string): never => {
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', field, value, why);
    };
    if (data !== undefined) refuse('data_type', data.type, 'a paging domain is made from no data');
    if ((flags & ~SECOND_FLAGS) !== 0) refuse('flags', flags, 'has bits that the unit has not');
    const needsSecond = (flags & ~FIRST_FLAGS) !== 0 || !has.firstLevel;
    if (needsSecond && !has.secondLevel) refuse('flags', flags, 'the unit has no second stage');
    if ((flags & HWPT_ALLOC_NEST_PARENT) !== 0 && !has.nested) refuse('flags', flags, 'the unit does not nest');
    if ((flags & HWPT_ALLOC_DIRTY_TRACKING) !== 0 && !has.secondLevelDirty)
      refuse('flags', flags, 'the unit sets no dirty bits');
    const first = has.addressBits === 57 ? CODE_FIRST_FIVE : CODE_FIRST_FOUR;
    const writeable = (flags & HWPT_ALLOC_NEST_PARENT) !== 0 && this.#config.errata772415 === true;
    const second = writeable ? CODE_SECOND_WRITEABLE : CODE_SECOND;
    const code = needsSecond ? second : first;
    this.domains.allocPaging(domain, code, flags);
    return geometryOf(code);
  }

  allocNested(domain: number, device: number, parent: number, viommu: number, flags: number, data: DriverData): void {
    this.devices.get(device);
    if (!this.#features.nested || (flags & ~NESTED_FLAGS) !== 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'is not offered for nested domains');
    const stage = readFirstStage(data);
    this.domains.allocNested(domain, parent, viommu, flags);
    const at = this.domains.rowAt(domain);
    this.#words[at + NESTED_ROOT] = stage.rootLo;
    this.#words[at + NESTED_ROOT + 1] = stage.rootHi;
    this.#words[at + NESTED_S1_FLAGS] = stage.flags;
    this.#words[at + NESTED_WIDTH] = stage.width;
  }

  freeDomain(domain: number): void {
    this.domains.free(domain);
  }

  /** @throws IommuError ENODEV a domain with a fault queue, and the device cannot fault; EINVAL what a nested domain asks for is not offered;
   * ENOMEM, ENOSPC no row or no PASID table is left; EBUSY the device's requests of before are still outstanding; ETIMEDOUT. The old domain stays. */
  attach(device: number, pasid: number, domain: number, old: number): void {
    const { rid, functionAt } = this.devices.get(device);
    const faults = (this.domains.flagsOf(domain) & HWPT_FAULT_ID_VALID) !== 0;
    if (faults && functionAt === 0)
      throw new IommuError('ENODEV', 'attach', 'device', device, 'has neither ATS nor PRI, and cannot fault');
    if (this.domains.kindOf(domain) === DOMAIN_NESTED) checkFirstStage(this.#firstStageOf(domain), this.#features);
    const target = this.#describe(domain, faults);
    // Before the hardware knows the domain, so that an invalidation from here on reaches whatever it keeps of it.
    this.attached.add(device, pasid, domain);
    try {
      const { attach, replace } = this.#procedures;
      this.#run((old === 0 ? attach : replace).call(this.#procedures, rid, pasid, target));
    } catch (error) {
      if (domain !== old) this.attached.remove(device, pasid, domain);
      throw error;
    }
    try {
      this.#settlePri(device, functionAt);
    } catch (error) {
      this.#run(
        old === 0
          ? this.#procedures.detach(rid, pasid)
          : this.#procedures.replace(rid, pasid, this.#describe(old, this.#hasFaultQueue(old))),
      );
      if (domain !== old) this.attached.remove(device, pasid, domain);
      throw error;
    }
    if (old !== 0 && old !== domain) this.attached.remove(device, pasid, old);
  }

  detach(device: number, pasid: number, domain: number): void {
    const { rid, functionAt } = this.devices.get(device);
    this.#run(this.#procedures.detach(rid, pasid));
    this.attached.remove(device, pasid, domain);
    this.#settlePri(device, functionAt);
  }

  /** PRI is on as long as the device has a domain with a fault queue. @throws IommuError EBUSY */
  #settlePri(device: number, functionAt: number): void {
    if (functionAt === 0) return;
    const pri = new PriCapability(this.#words, functionAt, []);
    const wanted = this.attached.list((each) => each.device === device && (each.flags & ATTACHED_FAULTS) !== 0);
    if (wanted.length === 0) pri.disable();
    else if (!pri.isEnabled()) {
      if (!pri.isStopped()) pri.reset();
      pri.enable(PAGE_REQUESTS);
    }
  }

  #hasFaultQueue(domain: number): boolean {
    return (this.domains.flagsOf(domain) & HWPT_FAULT_ID_VALID) !== 0;
  }

  /** Entries are handled up to the first bad one; on return, or when it throws, what those before it named is forgotten. */
  invalidateDomain(domain: number, entries: DriverEntries): void {
    const invalidator = new DomainInvalidator(this.#invalidators, domain);
    try {
      readInvalidations(entries, ({ page, pages }) => invalidator.range(page, pages));
    } finally {
      invalidator.sync();
    }
  }

  #describe(domain: number, faults: boolean): VtdDomain {
    const { domains } = this;
    if (domains.kindOf(domain) === DOMAIN_NESTED) {
      const { rootLo, rootHi, flags, width } = this.#firstStageOf(domain);
      const parent = domains.parentOf(domain);
      return {
        ...this.#second(parent),
        ...{ kind: 'nested', did: domain, faults, firstLevelLo: rootLo, firstLevelHi: rootHi },
        ...{ fiveLevels: width === 57, supervisor: (flags & VTD_S1_SRE) !== 0 },
        ...{ writeProtect: (flags & VTD_S1_WPE) !== 0, extendedAccessed: (flags & VTD_S1_EAFE) !== 0 },
      };
    }
    const code = domains.codeOf(domain);
    if (code >= CODE_SECOND) return { ...this.#second(domain), kind: 'second-level', did: domain, faults };
    const [firstLevelLo, firstLevelHi] = addressOf(domains.rootOf(domain));
    const fiveLevels = code === CODE_FIRST_FIVE;
    return { kind: 'first-level', did: domain, faults, firstLevelLo, firstLevelHi, fiveLevels };
  }

  #second(domain: number): Pick<VtdDomain, 'secondLevelLo' | 'secondLevelHi' | 'dirtyBits'> {
    const [secondLevelLo, secondLevelHi] = addressOf(this.domains.rootOf(domain));
    const dirtyBits = (this.domains.flagsOf(domain) & HWPT_ALLOC_DIRTY_TRACKING) !== 0;
    return { secondLevelLo, secondLevelHi, dirtyBits };
  }

  #firstStageOf(domain: number): FirstStage {
    const words = this.#words;
    const at = this.domains.rowAt(domain);
    return {
      rootLo: words[at + NESTED_ROOT] >>> 0,
      rootHi: words[at + NESTED_ROOT + 1] >>> 0,
      flags: words[at + NESTED_S1_FLAGS],
      width: words[at + NESTED_WIDTH],
    };
  }

  #run<T>(procedure: Procedure<T>): T {
    return runBlocking(this.#words, procedure, this.#config.between);
  }
}

/** Byte address of a table, by its number. */
function addressOf(table: number): [lo: number, hi: number] {
  return [(table << 12) >>> 0, table >>> 20];
}
