import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import {
  checkDomain,
  checkFaults,
  contextOf,
  entryFor,
  type MasterState,
  pagingOf,
  stage1Of,
  tableEntry,
  wantsAts,
} from './attach-rules.ts';
import { ownTableAt } from './context-area.ts';
import { BLOCKED, type PagingDomain, type SmmuDomain } from './domains.ts';
import type { EntryUpdate } from './entry-writer.ts';
import { SMMU_CONTEXT_LOG2, SMMU_CONTEXTS, STE_MASTER, streamEntryAt } from './layout.ts';
import { type AtsControl, MasterAts } from './master-ats.ts';
import { MasterEntries } from './master-entries.ts';
import { probeSmmu, type SmmuFeatures } from './probe.ts';
import type { SmmuOps } from './smmu-ops.ts';
import { abortEntry } from './stream-entries.ts';
import { MASTER_SID } from './virtual/layout.ts';
import { type MasterVirtual, VirtualAttach } from './virtual-attach.ts';

/** Who is told when the first domain with a fault handler comes, and when the last has gone: a device joins and leaves the fault path. */
export interface FaultUse {
  begin(): void;
  end(): Promise<void>;
}

export interface SmmuMasterConfig {
  /** This thread's own command queue. */
  readonly ops: SmmuOps;
  /** Index into the core's device table. */
  readonly device: number;
  readonly streamIds: readonly number[];
  /** Whether the device survives a stall (`dma-can-stall` of its firmware description). Default false. PCIe devices do not. */
  readonly canStall?: boolean;
  /** Present: the function has ATS. */
  readonly ats?: AtsControl;
  /** PRG Response PASID Required, of the function's PRI status. Default false. */
  readonly pasidInResponses?: boolean;
  readonly faultUse?: FaultUse;
  /** Present: the device has a master on the virtual side, of its only stream. Each attach then wants the device's group mutex. */
  readonly virtual?: MasterVirtual;
}

const NO_PASID = -1;
const STREAM_CONTEXT = 0;
const PAGE_LG2 = 12;

/** A device behind the SMMU: its stream table entries and its context descriptors, kept in step with what it is attached to. Each call takes
 * the order of Linux's driver: the new domain is linked while the old one still is, so that invalidations of both reach the device
 * during the switch; then the entries change, each step invalidated and synced before the next; then ATS; then the old domain goes.
 * Of a guest's stream the virtual side's steps come in between: what may fail first, out of the former guest's hands before the entries change,
 * into the next one's once the event queue is fenced. Up to there a failure undoes what was done; what follows cannot be refused any more.
 * A master starts blocked. One call at a time (the group mutex). Never blocks the event loop, but for an event that the interrupt thread is
 * routing to the former guest just then.
 * @see Linux arm_smmu_attach_dev(), arm_smmu_attach_dev_nested(), arm_smmu_attach_prepare(), arm_smmu_attach_commit(), arm_smmu_set_pasid() */
export class SmmuMaster {
  readonly #words: Words;
  readonly #base: number;
  readonly #config: SmmuMasterConfig;
  readonly #features: SmmuFeatures;
  readonly #tableAt: number;
  readonly #log2: number;
  readonly #pasids: Map<number, PagingDomain> = new Map();
  readonly #entries: MasterEntries;
  readonly #ats: MasterAts;
  readonly #virtual: VirtualAttach;
  readonly #abandoned: SmmuDomain[] = []; // of attaches that failed and could not be undone: still linked
  #domain: SmmuDomain = BLOCKED;
  #entry: Int32Array = abortEntry();
  #settled = true;
  #stalls: boolean;
  #faultUsers = 0;

  /** Claims the streams for the device, and blocks them.
   * @throws IommuError EINVAL no streams, or others than the virtual side has; ENODEV outside the stream table; EBUSY a stream has a driver
   * already. */
  static async claim(words: Words, base: number, config: SmmuMasterConfig): Promise<SmmuMaster> {
    checkInteger('SmmuMaster', 'streamIds.length', config.streamIds.length, 1, 65536);
    for (const streamId of config.streamIds) {
      if (Atomics.load(words, streamEntryAt(words, base, streamId) + STE_MASTER) !== 0)
        throw new IommuError('EBUSY', 'SmmuMaster', 'streamIds', streamId, 'has a driver already');
    }
    if (config.virtual !== undefined) checkVirtualStream(config, config.virtual);
    const master = new SmmuMaster(words, base, config);
    for (const streamId of config.streamIds)
      Atomics.store(words, streamEntryAt(words, base, streamId) + STE_MASTER, config.device + 1);
    await master.#entries.install(master.#entry);
    return master;
  }

  private constructor(words: Words, base: number, config: SmmuMasterConfig) {
    this.#words = words;
    this.#base = base;
    this.#config = config;
    this.#features = probeSmmu(words, base);
    this.#log2 = words[base + SMMU_CONTEXT_LOG2];
    this.#tableAt = ownTableAt(base + words[base + SMMU_CONTEXTS], config.streamIds[0], this.#log2);
    this.#entries = new MasterEntries(words, base, config.ops, config.streamIds, this.#tableAt);
    const pageLg2 = this.#features.granulesLg2[0] ?? PAGE_LG2;
    this.#ats = new MasterAts(config.ats, (pasid) => this.#entries.flushAtc(pasid), pageLg2);
    this.#virtual = new VirtualAttach(config.virtual, config.device);
    this.#stalls =
      this.#features.stalls === 'forced' || (this.#features.stalls === 'offered' && config.canStall === true);
  }

  get domain(): SmmuDomain {
    return this.#domain;
  }

  get atsEnabled(): boolean {
    return this.#ats.on;
  }

  /** Whether the entries are those of {@link domain}. Not after an attach that failed because the hardware stood still, and could not be undone
   * for the same reason: the streams are then the one domain's, the other's, or nobody's; both stay linked, and of a stream that was to change
   * hands no guest is told anything, until the next attach. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Whether faults stall: what the next attachment goes by. */
  get stalls(): boolean {
    return this.#stalls;
  }

  /** How the last call changed the stream table entry. */
  get lastUpdate(): EntryUpdate {
    return this.#entries.lastUpdate;
  }

  /** Lets faults stall from the next attachment on, or not any more.
   * @throws IommuError EOPNOTSUPP when the SMMU or the device cannot; EBUSY while attached to something that may fault. */
  setStalls(on: boolean): void {
    const possible = on
      ? this.#features.stalls !== 'none' && this.#config.canStall === true
      : this.#features.stalls !== 'forced';
    if (!possible)
      throw new IommuError('EOPNOTSUPP', 'setStalls', 'on', on, `stalls are ${this.#features.stalls} here`);
    if (this.#pasids.size !== 0 || this.#domain.kind === 'paging' || this.#domain.kind === 'nested')
      throw new IommuError('EBUSY', 'setStalls', 'domain', this.#domain.kind, 'must be blocked or identity');
    this.#stalls = on;
  }

  /** Attaches all streams. If it throws, the streams are attached to what they were ({@link settled} says where that could not be), unless the
   * new domain is already the one that is attached: then the hardware stood still when the old one was to be forgotten.
   * @throws IommuError EOPNOTSUPP faults that stall need exactly one StreamID, or a stage the SMMU lacks; EBUSY stage 2 or nested while
   * PASIDs are attached; EIO a user's entry; EINVAL, ENOENT of a vSMMU's domain as {@link VirtualAttach.prepare}; ETIMEDOUT */
  async attach(domain: SmmuDomain): Promise<void> {
    const state = this.#state();
    checkDomain(domain, state);
    const ats = wantsAts(domain, state);
    const entry = entryFor(domain, state, ats);
    if (!this.#settled) await this.#entries.resync();
    this.#virtual.prepare(domain);
    await this.#orBack(
      domain,
      async () => {
        this.#ats.prepare(ats);
        this.#virtual.clear();
        if (stage1Of(domain) !== undefined) await this.#entries.writeContext(STREAM_CONTEXT, contextOf(domain, state));
        await this.#entries.install(entry);
        await this.#virtual.fence();
      },
      async () => {
        await this.#entries.install(this.#entry);
        if (stage1Of(domain) !== undefined)
          await this.#entries.writeContext(STREAM_CONTEXT, contextOf(this.#domain, state));
        await this.#virtual.restore();
      },
    );
    this.#virtual.commit();
    const old = this.#domain;
    this.#domain = domain;
    this.#entry = entry;
    this.#settled = true;
    await this.#ats.commit(ats, NO_PASID);
    await this.#unlink(old);
    for (let left = this.#abandoned.pop(); left !== undefined; left = this.#abandoned.pop()) await this.#unlink(left);
    if (stage1Of(domain) === undefined) await this.#entries.clearContext(STREAM_CONTEXT);
  }

  /** Attaches one PASID to a stage-1 domain: a descriptor of its own.
   * @throws IommuError EINVAL a PASID beyond the table, or a domain that is not stage 1; EBUSY attached already, or the streams are
   * attached to stage 2 or nested; EOPNOTSUPP as {@link attach}; EIO the streams are not {@link settled}; ETIMEDOUT: as before the call */
  async attachPasid(pasid: number, domain: PagingDomain): Promise<void> {
    const call = 'attachPasid';
    checkInteger(call, 'pasid', pasid, 1, 2 ** Math.min(this.#log2, this.#features.substreamBits) - 1);
    if (domain.stage1 === undefined) throw new IommuError('EINVAL', call, 'domain', 'stage 2', 'must be stage 1');
    if (this.#pasids.has(pasid)) throw new IommuError('EBUSY', call, 'pasid', pasid, 'is attached already');
    if (this.#domain.kind === 'nested' || (this.#domain.kind === 'paging' && this.#domain.stage1 === undefined))
      throw new IommuError('EBUSY', call, 'domain', this.#domain.kind, 'has no table of contexts');
    const state = this.#state();
    checkFaults(domain, state);
    if (!this.#settled) throw new IommuError('EIO', call, 'settled', false, 'an attach failed: attach anew first');
    const entry = tableEntry(this.#domain, state);
    await this.#orBack(
      domain,
      async () => {
        await this.#entries.writeContext(pasid, contextOf(domain, state));
        await this.#entries.install(entry);
      },
      async () => {
        await this.#entries.install(this.#entry);
        await this.#entries.clearContext(pasid);
      },
    );
    this.#pasids.set(pasid, domain);
    this.#entry = entry;
    await this.#ats.commit(state.ats, pasid);
  }

  /** Detaches a PASID: its accesses are aborted. With the last one gone, streams that need no table lose it.
   * @throws IommuError ENOENT when it is not attached; ETIMEDOUT */
  async detachPasid(pasid: number): Promise<void> {
    const domain = this.#pasids.get(pasid);
    if (domain === undefined) throw new IommuError('ENOENT', 'detachPasid', 'pasid', pasid, 'is not attached');
    await this.#entries.clearContext(pasid);
    if (this.#ats.on) await this.#entries.flushAtc(pasid);
    this.#pasids.delete(pasid);
    await this.#unlink(domain);
    if (this.#pasids.size === 0 && this.#domain.kind !== 'paging') await this.attach(this.#domain);
  }

  /** Gives the streams up: blocked, and without a driver. The caller has fenced the queues and answered what was pending. */
  async release(): Promise<void> {
    for (const pasid of [...this.#pasids.keys()]) await this.detachPasid(pasid);
    await this.attach(BLOCKED);
    for (const streamId of this.#config.streamIds) {
      const at = streamEntryAt(this.#words, this.#base, streamId);
      Atomics.store(this.#words, at + STE_MASTER, 0);
    }
  }

  #state(): MasterState {
    const { ats, streamIds, pasidInResponses } = this.#config;
    return {
      features: this.#features,
      stalls: this.#stalls,
      streams: streamIds.length,
      pasids: this.#pasids.size,
      ats: ats !== undefined && this.#features.ats,
      pasidInResponses: pasidInResponses === true,
      tableAt: this.#tableAt,
      log2: this.#log2,
    };
  }

  /** Links the streams to the new domain while they still are to the old one, and takes the steps that may fail. If one does, `back` makes the
   * entries what they were, and the link goes. */
  async #orBack(domain: SmmuDomain, steps: () => Promise<void>, back: () => Promise<void>): Promise<void> {
    try {
      this.#link(domain);
    } catch (error) {
      this.#virtual.abort();
      throw error;
    }
    try {
      await steps();
    } catch (error) {
      await this.#goBack(domain, back);
      throw error;
    }
  }

  async #goBack(domain: SmmuDomain, back: () => Promise<void>): Promise<void> {
    this.#settled = false;
    try {
      await back();
      await this.#ats.restore();
      this.#settled = true;
    } catch (error) {
      if (!(error instanceof IommuError)) throw error; // else the first error is the one to tell, and `settled` tells of this one
      this.#virtual.abort();
      this.#abandoned.push(domain);
      return;
    }
    await this.#unlink(domain);
  }

  #link(domain: SmmuDomain): void {
    const paging = pagingOf(domain);
    if (paging === undefined) return;
    if (paging.faults) {
      if (this.#faultUsers === 0) this.#config.faultUse?.begin();
      this.#faultUsers++;
    }
    paging.link();
  }

  async #unlink(domain: SmmuDomain): Promise<void> {
    const paging = pagingOf(domain);
    if (paging === undefined) return;
    try {
      if (paging.unlink()) {
        paging.invalidate(this.#config.ops);
        await this.#config.ops.syncAsync();
      }
    } finally {
      if (paging.faults && --this.#faultUsers === 0) await this.#config.faultUse?.end();
    }
  }
}

function checkVirtualStream({ device, streamIds }: SmmuMasterConfig, { streams }: MasterVirtual): void {
  const { area } = streams;
  const streamId = area.words[area.masterAt('SmmuMaster', device) + MASTER_SID] >>> 0;
  if (streamIds.length !== 1 || streamIds[0] !== streamId)
    throw new IommuError('EINVAL', 'SmmuMaster', 'streamIds', streamIds, `must be ${streamId}, as on the virtual side`);
}
