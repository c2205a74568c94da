// IommufdDriver over an AMD IOMMU of hw's.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { Doorbell, ThreadSelf, Words } from '@faultline/core/sync';
import { type AmdAttach, type AmdOps, AmdProcedures, type Procedure, readExtendedFeatures } from '@faultline/hw/amd';
import { AtsCapability, PriCapability } from '@faultline/hw/pcie';
import {
  type DeviceTraits,
  type DomainGeometry,
  type DriverData,
  encodeData,
  HW_CAP_DIRTY_TRACKING,
  HW_CAP_PCI_ATS_NOT_SUPPORTED,
  HW_INFO_AMD,
  HW_INFO_TYPE_AMD,
  HW_INFO_TYPE_DEFAULT,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
  type HwInfo,
  type IommufdDriver,
  type IovaRange,
} from '@faultline/iommufd';
import {
  ATTACHED_FAULTS,
  AttachedDomains,
  DriverWithoutViommu,
  type InvalidatorParts,
  PagingDomains,
  type Requester,
  Requesters,
  runBlocking,
} from '../common/index.ts';
import { formatOf, geometryOf } from './formats.ts';
import { DomainInvalidator } from './invalidator.ts';
import { AMD_UNIT_REGION, CODE_GUEST, CODE_HOST, LEVELS } from './layout.ts';

const FLAGS = HWPT_ALLOC_DIRTY_TRACKING | HWPT_ALLOC_PASID | HWPT_FAULT_ID_VALID;
/** Page requests of a device outstanding at most. @see Linux drivers/iommu/amd/ppr.c */
const PAGE_REQUESTS = 32;
/** PASIDs of a GCR3 table of one level, log2. */
const PASIDS_LG2 = 9;
/** Where writes are interrupts. */
const INTERRUPTS: IovaRange = { start: 0xfee00000n, last: 0xfeefffffn };

export interface AmdIommufdDriverConfig {
  readonly self: ThreadSelf;
  /** This thread's, which may also be the machine's `ops`. */
  readonly ops: AmdOps;
  /** Runs hardware, pump and devices where they are on this thread. Default: they are on others, and are waited for. */
  readonly between?: () => void;
  /** In the one thread that devices are added and attached on. */
  readonly control?: { readonly hardwareDoorbell: Doorbell; readonly timeoutMs?: number };
}

/** One thread's driver of an AMD IOMMU. Domains and their tables are in shared words: any thread makes, maps, unmaps, sweeps and frees them.
 * Which device has which is the control thread's: hw's procedures keep it on their own heap, so that others are refused with EOPNOTSUPP.
 * Domain ids are the core's domain numbers. Tables are in memory of their own, which no device can reach.
 *
 * As with Linux: PASIDs have a guest's format (v2), all else the host's (v1), which alone tracks dirty pages; a request without a PASID cannot
 * be logged as a page request, so that only PASIDs fault; a PASID's domain is detached, not replaced. Unlike it: domains of user space may be
 * a PASID's, where Linux has shared address spaces only; dirty bits are set from the start, and merely not reported while tracking is off.
 * No nested domains, and no vIOMMU. @see Linux drivers/iommu/amd/{iommu,pasid,ppr,iommufd}.c */
export class AmdIommufdDriver extends DriverWithoutViommu implements IommufdDriver {
  override readonly domains: PagingDomains;
  readonly attached: AttachedDomains;
  readonly devices: Requesters;
  readonly #words: Words;
  readonly #unitAt: number;
  readonly #config: AmdIommufdDriverConfig;
  readonly #procedures: AmdProcedures | undefined;
  readonly #faulting: Set<number> = new Set(); // devices that may send page requests; the control thread's

  constructor(arena: Arena, config: AmdIommufdDriverConfig) {
    super();
    const { words } = arena;
    const { self, ops, between, control } = config;
    this.#words = words;
    this.#unitAt = arena.base(AMD_UNIT_REGION);
    this.#config = config;
    this.devices = new Requesters(arena);
    this.attached = new AttachedDomains(arena, self);
    const invalidatorOf = (domain: number): DomainInvalidator => new DomainInvalidator(parts, domain);
    this.domains = new PagingDomains(arena, self, { formatOf, invalidatorOf });
    const { attached, devices, domains } = this;
    const parts: InvalidatorParts<AmdOps> = { words, ops, domains, attached, devices, between };
    this.#procedures = control === undefined ? undefined : new AmdProcedures(words, this.#unitAt, { ops, ...control });
  }

  /** Switches the IOMMU on. Control thread. @throws IommuError ETIMEDOUT */
  enable(): void {
    this.#run(this.#control().enable());
    this.#run(this.#control().switchPageRequests(true));
  }

  /** Lets a device in, blocked until something is attached. Control thread. @throws IommuError ENODEV no such requester, EBUSY, EINVAL */
  addDevice(device: Requester): void {
    const { rid, functionAt, pasidsLog2 = 0 } = device;
    const capabilities =
      functionAt === undefined
        ? {}
        : { ats: new AtsCapability(this.#words, functionAt), pri: new PriCapability(this.#words, functionAt, []) };
    this.#control().bindDevice(rid, device.device, {
      ...capabilities,
      maxPasids: 2 ** Math.min(PASIDS_LG2, Math.max(1, pasidsLog2)),
    });
    this.devices.add(device);
  }

  /** Takes a device out that nothing is attached to. Control thread. @throws IommuError ENODEV, ETIMEDOUT */
  removeDevice(device: number): void {
    this.#run(this.#control().unbindDevice(this.devices.get(device).rid));
    this.devices.remove(device);
  }

  traits(device: number): DeviceTraits {
    const { group, pasidsLog2, functionAt } = this.devices.get(device);
    return {
      ...{ iommu: 1, group, coherent: true, isolated: true, priVirtualFunction: false },
      maxPasidLog2: Math.min(pasidsLog2, PASIDS_LG2),
      capabilities: HW_CAP_DIRTY_TRACKING | (functionAt === 0 ? HW_CAP_PCI_ATS_NOT_SUPPORTED : 0),
    };
  }

  reservedRanges(_device: number): readonly IovaRange[] {
    return [INTERRUPTS];
  }

  /** @throws IommuError EOPNOTSUPP a type that is not AMD's, ENODEV */
  hwInfo(device: number, type: number): HwInfo {
    this.devices.get(device);
    if (type !== HW_INFO_TYPE_DEFAULT && type !== HW_INFO_TYPE_AMD)
      throw new IommuError('EOPNOTSUPP', 'GET_HW_INFO', 'in_data_type', type, 'is not AMD’s');
    const bytes = new Uint8Array(HW_INFO_AMD.bytes);
    const efr = readExtendedFeatures(this.#words, this.#unitAt);
    encodeData(HW_INFO_AMD, { efr, efr2: 0n }, new DataView(bytes.buffer)); // of the second register the model has nothing
    return { type: HW_INFO_TYPE_AMD, bytes };
  }

  /** @throws IommuError EOPNOTSUPP data, a nesting parent, or PASIDs and dirty tracking at once: no format has both; ENODEV, ENOMEM
   * @see Linux drivers/iommu/amd/iommu.c amd_iommu_domain_alloc_paging_flags() */
  allocPaging(domain: number, device: number, flags: number, data: DriverData | undefined): DomainGeometry {
    this.devices.get(device);
    const both = HWPT_ALLOC_PASID | HWPT_ALLOC_DIRTY_TRACKING;
    if (data !== undefined)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'data_type', data.type, 'a paging domain is made from no data');
    if ((flags & ~FLAGS) !== 0 || (flags & both) === both)
      throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'no page table of this IOMMU has all of them');
    const code = (flags & HWPT_ALLOC_PASID) !== 0 ? CODE_GUEST : CODE_HOST;
    this.domains.allocPaging(domain, code, flags);
    return geometryOf(code);
  }

  allocNested(_domain: number, _device: number, _parent: number, _viommu: number, flags: number): void {
    throw new IommuError('EOPNOTSUPP', 'HWPT_ALLOC', 'flags', flags, 'has no nested domains');
  }

  freeDomain(domain: number): void {
    this.domains.free(domain);
  }

  /** Control thread. @throws IommuError EOPNOTSUPP another thread; a PASID of a device that has no domain itself, or in place of another
   * domain, or with a host’s table; ENODEV a domain with a fault queue, and the device cannot fault; ENOMEM, ENOSPC no row or no table of
   * PASIDs is left; EBUSY the device's requests of before are still outstanding; ETIMEDOUT. The old domain stays. */
  attach(device: number, pasid: number, domain: number, old: number): void {
    const control = this.#control();
    const { rid, functionAt } = this.devices.get(device);
    const faults = (this.domains.flagsOf(domain) & HWPT_FAULT_ID_VALID) !== 0;
    const isGuest = this.domains.codeOf(domain) === CODE_GUEST;
    if (faults && functionAt === 0)
      throw new IommuError('ENODEV', 'attach', 'device', device, 'has neither ATS nor PRI, and cannot fault');
    if (pasid !== 0 && (old !== 0 || !isGuest))
      throw new IommuError(
        'EOPNOTSUPP',
        'attach',
        'pasid',
        pasid,
        old === 0 ? 'needs a guest’s table' : 'has a domain',
      );
    const root = this.domains.rootOf(domain);
    const before = this.attached.domainOf(device, pasid);
    // Before the hardware knows the domain, so that an invalidation from here on reaches whatever it keeps of it.
    this.attached.add(device, pasid, domain);
    try {
      this.#run(pasid === 0 ? control.attach(rid, this.#describe(domain)) : control.attachPasid(rid, pasid, root));
    } catch (error) {
      if (domain !== before) this.attached.remove(device, pasid, domain);
      throw error;
    }
    this.attached.setCurrent(device, pasid, domain, faults ? ATTACHED_FAULTS : 0);
    if (before !== 0 && before !== domain) this.attached.remove(device, pasid, before);
    try {
      this.#settlePri(device, rid);
    } catch (error) {
      if (pasid !== 0) this.#run(control.detachPasid(rid, pasid));
      else this.#run(before === 0 ? control.blockDevice(rid) : control.attach(rid, this.#describe(before)));
      if (before !== 0 && before !== domain) {
        this.attached.add(device, pasid, before);
        const flags = (this.domains.flagsOf(before) & HWPT_FAULT_ID_VALID) !== 0 ? ATTACHED_FAULTS : 0;
        this.attached.setCurrent(device, pasid, before, flags);
      }
      if (domain !== before) this.attached.remove(device, pasid, domain);
      throw error;
    }
  }

  /** Control thread. */
  detach(device: number, pasid: number, domain: number): void {
    const control = this.#control();
    const { rid } = this.devices.get(device);
    this.#run(pasid === 0 ? control.blockDevice(rid) : control.detachPasid(rid, pasid));
    this.attached.remove(device, pasid, domain);
    this.#settlePri(device, rid);
  }

  /** Page requests are let in as long as one of the device's PASIDs has a domain with a fault queue. @throws IommuError EBUSY, ETIMEDOUT */
  #settlePri(device: number, rid: number): void {
    const wants = this.attached.list((each) => each.device === device && (each.flags & ATTACHED_FAULTS) !== 0);
    const isOn = this.#faulting.has(device);
    if (wants.length > 0 && !isOn && this.attached.domainOf(device, 0) !== 0) {
      this.#run(this.#control().enablePri(rid, PAGE_REQUESTS));
      this.#faulting.add(device);
    } else if (wants.length === 0 && isOn) {
      this.#run(this.#control().disablePri(rid));
      this.#faulting.delete(device);
    }
  }

  invalidateDomain(domain: number): void {
    throw new IommuError('EOPNOTSUPP', 'HWPT_INVALIDATE', 'hwpt_id', domain, 'is not nested');
  }
  #describe(domain: number): AmdAttach {
    const kind = this.domains.codeOf(domain) === CODE_GUEST ? 'paging-v2' : 'paging';
    return { kind, domain, rootPage: this.domains.rootOf(domain), levels: LEVELS };
  }

  /** @throws IommuError EOPNOTSUPP this is another thread. */
  #control(): AmdProcedures {
    if (this.#procedures === undefined)
      throw new IommuError(
        'EOPNOTSUPP',
        'AmdIommufdDriver',
        'thread',
        this.#config.self.id,
        'is not the control thread',
      );
    return this.#procedures;
  }

  #run<T>(procedure: Procedure<T>): T {
    return runBlocking(this.#words, procedure, this.#config.between);
  }
}
