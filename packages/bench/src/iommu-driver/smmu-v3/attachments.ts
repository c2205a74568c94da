// What a device's stream table entry and context descriptors are made of, and the order in which they change.
// @see Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c arm_smmu_attach_dev(), arm_smmu_set_pasid(), arm_smmu_attach_dev_nested()
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import {
  abortEntry,
  BlockingEntries,
  CD_WORDS,
  contextEntry,
  contextTableEntry,
  type EntryParts,
  nestedEntry,
  probeSmmu,
  S1DSS_SSID0,
  S1DSS_TERMINATE,
  SmmuDriver,
  type SmmuFeatures,
  type SmmuOps,
  type Stage1Context,
  type Stage2Tables,
  stage2Entry,
} from '@faultline/hw/smmu-v3';
import { nestedVste, type Vdevices, type VirtualArea, VStreams, vsteTranslates } from '@faultline/hw/smmu-v3/virtual';
import { AttachedDomains, DOMAIN_NESTED, type PagingDomains, runBlocking } from '../common/index.ts';
import {
  CODE_STAGE1_DIRTY,
  CODE_STAGE2,
  CONTEXTS_REGION,
  DEVICE_GROUP,
  DEVICE_STALLS,
  DEVICE_STREAM,
  DEVICE_WORDS,
  DEVICES_REGION,
  DOMAIN_NESTED_NUMBER,
  SMMU_REGION,
} from './layout.ts';

const TABLE_WORDS = 1024;
const CALL = 'attach';

export interface AttachmentParts {
  readonly arena: Arena;
  readonly self: ThreadSelf;
  readonly ops: SmmuOps;
  readonly domains: PagingDomains;
  readonly area: VirtualArea;
  readonly vdevices: Vdevices;
  readonly pasidLog2: number;
  /** Rings the hardware. */
  readonly ring: () => void;
  /** Where the event pump runs on this thread: runs it. */
  readonly between: (() => void) | undefined;
}

/** One thread's way to attach. Blocks: the hardware, and for a stream that becomes a guest's the event pump, must run elsewhere, or between. */
export class Attachments {
  readonly attached: AttachedDomains;
  readonly features: SmmuFeatures;
  readonly #parts: AttachmentParts;
  readonly #words: Words;
  readonly #entries: BlockingEntries;
  readonly #streams: VStreams;
  readonly #driver: SmmuDriver;

  constructor(parts: AttachmentParts) {
    const { arena, self, ops, area, vdevices, ring } = parts;
    const base = arena.base(SMMU_REGION);
    this.#parts = parts;
    this.#words = arena.words;
    this.attached = new AttachedDomains(arena, self);
    this.features = probeSmmu(arena.words, base);
    this.#entries = new BlockingEntries(arena.words, base, ops, self);
    this.#streams = new VStreams(area, self, vdevices);
    this.#driver = new SmmuDriver(arena.words, base, { ops, hardwareDoorbell: { ring } });
  }

  deviceAt(device: number): number {
    return this.#parts.arena.base(DEVICES_REGION) + device * DEVICE_WORDS;
  }

  /** Whether a nested domain is a guest's stage 1. */
  translates(domain: number): boolean {
    const vste = nestedVste(this.#parts.area, this.#nestedNumber(domain));
    return vsteTranslates(Int32Array.from(vste), 0);
  }

  /** @throws IommuError EINVAL a PASID out of range or a domain that is not stage 1; EBUSY PASIDs beside stage 2 or nested; ENOENT nested,
   * translating, and no vdevice; ETIMEDOUT. What was attached before stays. */
  attach(device: number, pasid: number, domain: number): void {
    this.#locked(device, () => {
      this.#check(device, pasid, domain);
      const { attached } = this;
      const former = attached.domainOf(device, pasid);
      attached.add(device, pasid, domain);
      try {
        // A guest's PASIDs are known as a guest's before its stream can fault: what the former domain still has in the queue has none.
        if (this.#isNested(domain)) attached.setCurrent(device, pasid, domain);
        if (pasid === 0) this.#attachStream(device, domain, former);
        else this.#attachPasid(device, pasid, domain);
      } catch (error) {
        attached.setCurrent(device, pasid, former);
        if (former !== domain) attached.remove(device, pasid, domain);
        throw error;
      }
      attached.setCurrent(device, pasid, domain);
      if (former !== domain) attached.remove(device, pasid, former);
      if (former !== 0) this.#forget(former);
    });
  }

  /** @throws IommuError ETIMEDOUT the hardware stands still. */
  detach(device: number, pasid: number): void {
    this.#locked(device, () => {
      const former = this.attached.domainOf(device, pasid);
      this.attached.remove(device, pasid, former);
      if (pasid === 0) this.#attachStream(device, 0, former);
      else {
        this.#entries.clearContext(this.#stream(device), this.#contextsAt(device), pasid);
        const base = this.attached.domainOf(device, 0);
        if (this.#pasids(device) === 0 && base === 0) this.#install(device, this.#entryFor(device, 0));
      }
      if (former !== 0) this.#forget(former);
    });
  }

  #check(device: number, pasid: number, domain: number): void {
    const { domains, pasidLog2 } = this.#parts;
    const isStage1 = this.#isStage1(domain);
    if (pasid === 0) {
      if (!isStage1 && this.#pasids(device) !== 0)
        throw new IommuError('EBUSY', CALL, 'pasids', this.#pasids(device), 'are attached: the entry has their table');
      return;
    }
    if (!isStage1) throw new IommuError('EINVAL', CALL, 'domain', domain, 'must be stage 1, for a PASID');
    if (pasid >= 2 ** pasidLog2)
      throw new IommuError('EINVAL', CALL, 'pasid', pasid, `must be below ${2 ** pasidLog2}`);
    const base = this.attached.domainOf(device, 0);
    if (base !== 0 && !this.#isStage1(base))
      throw new IommuError('EBUSY', CALL, 'domain', domains.codeOf(base), 'the device has no table of contexts');
  }

  #attachStream(device: number, domain: number, former: number): void {
    const streams = this.#streams;
    const entry = this.#entryFor(device, domain); // may refuse
    if (streams.prepare(device, this.#nestedNumber(domain)) !== 0)
      throw new IommuError('ENOENT', CALL, 'device', device, 'has no vdevice in the vIOMMU');
    try {
      streams.clear(device);
      if (domain !== 0 && this.#isStage1(domain)) this.#writeContext(device, 0, domain);
      this.#install(device, entry);
      if (streams.gives(device)) this.#fence();
    } catch (error) {
      this.#goBack(device, former);
      throw error;
    }
    streams.commit(device);
    if (domain === 0 || !this.#isStage1(domain)) this.#clearContext(device);
  }

  /** What fails now fails as before: the first error is told. The stream is nobody's then. */
  #goBack(device: number, former: number): void {
    const streams = this.#streams;
    try {
      if (former !== 0 && this.#isStage1(former)) this.#writeContext(device, 0, former);
      this.#install(device, this.#entryFor(device, former));
      if (streams.givesBack(device)) this.#fence();
      streams.restore(device);
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
      streams.abort(device);
    }
  }

  #attachPasid(device: number, pasid: number, domain: number): void {
    this.#writeContext(device, pasid, domain);
    this.#install(device, this.#entryFor(device, this.attached.domainOf(device, 0)));
  }

  /** @param domain 0: blocked. @throws IommuError EIO a guest's entry */
  #entryFor(device: number, domain: number): Int32Array {
    const { domains, area, pasidLog2 } = this.#parts;
    const parts = this.#entryParts(device);
    if (domain === 0)
      return this.#pasids(device) === 0
        ? abortEntry()
        : contextTableEntry(parts, this.#contextsAt(device), pasidLog2, S1DSS_TERMINATE);
    if (this.#isNested(domain)) {
      const vste = nestedVste(area, this.#nestedNumber(domain));
      return nestedEntry(parts, this.#stage2Of(domains.parentOf(domain)), vste);
    }
    if (this.#isStage1(domain)) return contextTableEntry(parts, this.#contextsAt(device), pasidLog2, S1DSS_SSID0);
    return stage2Entry(parts, this.#stage2Of(domain));
  }

  #entryParts(device: number): EntryParts {
    const stalls = this.features.stalls === 'offered' && this.#words[this.deviceAt(device) + DEVICE_STALLS] === 1;
    return { features: this.features, stalls, ats: false, pasidInResponses: false };
  }

  #stage2Of(domain: number): Stage2Tables {
    return { vmid: domain, tableAt: this.#parts.domains.rootOf(domain) * TABLE_WORDS };
  }

  #writeContext(device: number, index: number, domain: number): void {
    const { domains } = this.#parts;
    const context: Stage1Context = {
      asid: domain,
      tableAt: domains.rootOf(domain) * TABLE_WORDS,
      dirtyTracking: domains.codeOf(domain) === CODE_STAGE1_DIRTY,
    };
    const entry = contextEntry(this.#entryParts(device), context);
    this.#entries.writeContext(this.#stream(device), this.#contextsAt(device), index, entry);
  }

  #clearContext(device: number): void {
    this.#entries.clearContext(this.#stream(device), this.#contextsAt(device), 0);
  }

  #install(device: number, entry: Int32Array): void {
    this.#entries.install(this.#stream(device), entry);
  }

  /** Waits until what the event queue held of the stream is reported. */
  #fence(): void {
    const { ops, self, between } = this.#parts;
    ops.sync(self);
    runBlocking(this.#words, this.#driver.eventQueuePassed(), between);
  }

  /** Nothing is kept of a domain that a stream has left. */
  #forget(domain: number): void {
    const { domains, ops, self } = this.#parts;
    if (this.#isNested(domain)) ops.invalidateVmid(domains.parentOf(domain));
    else if (this.#isStage1(domain)) ops.invalidateAsid(domain);
    else ops.invalidateVmid(domain);
    ops.sync(self);
  }

  #isNested(domain: number): boolean {
    return domain !== 0 && this.#parts.domains.kindOf(domain) === DOMAIN_NESTED;
  }

  #isStage1(domain: number): boolean {
    return !this.#isNested(domain) && this.#parts.domains.codeOf(domain) !== CODE_STAGE2;
  }

  #nestedNumber(domain: number): number {
    const { domains } = this.#parts;
    if (!this.#isNested(domain)) return 0;
    return this.#words[domains.rowAt(domain) + DOMAIN_NESTED_NUMBER];
  }

  #pasids(device: number): number {
    return this.attached.list((each) => each.device === device && each.pasid !== 0).length;
  }

  #stream(device: number): number {
    return this.#words[this.deviceAt(device) + DEVICE_STREAM];
  }

  #contextsAt(device: number): number {
    const { arena, pasidLog2 } = this.#parts;
    return arena.base(CONTEXTS_REGION) + device * CD_WORDS * 2 ** pasidLog2;
  }

  #locked(device: number, body: () => void): void {
    const { self } = this.#parts;
    const group = this.deviceAt(device) + DEVICE_GROUP;
    mutexLock(this.#words, group, self);
    try {
      body();
    } finally {
      mutexUnlock(this.#words, group, self);
    }
  }
}
