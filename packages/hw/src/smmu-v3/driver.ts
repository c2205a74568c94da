import { IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import { untilPassed } from '../procedure/fence.ts';
import { type Procedure, runProcedure, untilWord } from '../procedure/procedure.ts';
import { queueIndex, queueUsed } from '../queue/index.ts';
import { acknowledgeGlobalErrors } from './global-errors.ts';
import {
  CMDQ_CONS,
  CMDQ_PROD,
  checkSmmu,
  commandQueueBase,
  NO_PRIQ,
  SMMU_CMDQ_COUNT,
  SMMU_CMDQ_LOG2,
  SMMU_CR0,
  SMMU_CR0ACK,
  SMMU_CR2,
  SMMU_EVTQ_FENCES,
  SMMU_EVTQ_PASSED,
  SMMU_GERROR,
  SMMU_GERRORN,
  SMMU_PRIQ_FENCES,
  SMMU_PRIQ_IRQ_CFG2,
  SMMU_PRIQ_LOG2,
  SMMU_PRIQ_PASSED,
  SMMU_STATS,
  SMMU_STREAMS,
  STAT_EVENTS,
  STAT_PAGE_REQUESTS,
  STE_MASTER,
  STE_WORD,
  streamEntryAt,
  writeStream,
} from './layout.ts';
import { probeSmmu } from './probe.ts';
import {
  CR0_ATSCHK,
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_PRIQEN,
  CR0_SMMUEN,
  CR2_RECINVSID,
  GERROR_CMDQ,
  GERROR_EVTQ_ABT,
  GERROR_MASK,
  GERROR_MSI_CMDQ,
  GERROR_MSI_EVTQ,
  GERROR_MSI_GERROR,
  GERROR_MSI_PRIQ,
  GERROR_PRIQ_ABT,
  GERROR_SFM,
  PRIQ_IRQ_LO,
  STE_ABORT,
  STE_TRANSLATE,
  STE_V,
} from './registers.ts';
import type { SmmuOps } from './smmu-ops.ts';

/** CMD_STALL_TERMs between two CMD_SYNCs. */
const TERM_BATCH = 16;
const GERROR_NAMES: readonly (readonly [number, string])[] = [
  [GERROR_EVTQ_ABT, 'EVTQ_ABT'],
  [GERROR_PRIQ_ABT, 'PRIQ_ABT'],
  [GERROR_MSI_CMDQ, 'MSI_CMDQ_ABT'],
  [GERROR_MSI_EVTQ, 'MSI_EVTQ_ABT'],
  [GERROR_MSI_PRIQ, 'MSI_PRIQ_ABT'],
  [GERROR_MSI_GERROR, 'MSI_GERROR_ABT'],
  [GERROR_SFM, 'SFM'],
];

export interface SmmuDriverConfig {
  /** This thread's own command queue. */
  readonly ops: SmmuOps;
  readonly hardwareDoorbell: Pick<Doorbell, 'ring'>;
  /** How long to wait for the hardware, or for the event pump. Default 10 s. */
  readonly timeoutMs?: number;
}

export interface AttachOptions {
  /** Whether faults stall. */
  readonly stall: boolean;
  /** Substreams (PASIDs) 1 to substreams - 1 may be used. Default 2^20: all. */
  readonly substreams?: number;
}

/** Control of an SMMU: switching queues, attaching and blocking streams, fencing. One thread at a time. Never blocks the event loop. */
export class SmmuDriver {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: SmmuOps;
  readonly #hardware: Pick<Doorbell, 'ring'>;
  readonly #timeoutMs: number;

  constructor(words: Words, base: number, config: SmmuDriverConfig) {
    checkSmmu(words, base, 'SmmuDriver');
    this.#words = words;
    this.#base = base;
    this.#ops = config.ops;
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
  }

  /** Switches translation, the command queues and the event queue on. @throws IommuError ETIMEDOUT */
  async enable(): Promise<void> {
    Atomics.or(this.#words, this.#base + SMMU_CR2, CR2_RECINVSID);
    await this.#control(CR0_SMMUEN | CR0_CMDQEN | CR0_EVTQEN, 0);
  }

  /** Brings the SMMU up as after a power-on: off, then the command queue, caches of configuration and translations emptied, event queue, PRI
   * queue (if there is one), translation last. Streams are as the table has them.
   * @throws IommuError ENXIO as {@link probeSmmu}, ETIMEDOUT
   * @see Linux arm_smmu_device_reset() */
  async reset(): Promise<void> {
    const features = probeSmmu(this.#words, this.#base);
    await this.#control(0, CR0_SMMUEN | CR0_PRIQEN | CR0_EVTQEN | CR0_CMDQEN | CR0_ATSCHK);
    Atomics.or(this.#words, this.#base + SMMU_CR2, CR2_RECINVSID);
    await this.#control(CR0_CMDQEN, 0);
    this.#ops.invalidateConfiguration();
    await this.#ops.syncAsync();
    this.#ops.invalidateAllTranslations(features.hyp);
    await this.#ops.syncAsync();
    await this.#control(CR0_EVTQEN, 0);
    if (features.pri) await this.#control(CR0_PRIQEN, 0);
    if (features.ats) await this.#control(CR0_ATSCHK, 0);
    await this.#control(CR0_SMMUEN, 0);
  }

  /** SMMUEN off: every stall ends, tags are free again. @throws IommuError ETIMEDOUT */
  async disable(): Promise<void> {
    await this.#control(0, CR0_SMMUEN);
  }

  async enableEventQueue(): Promise<void> {
    await this.#control(CR0_EVTQEN, 0);
  }

  /** EVTQEN off: what was recorded is in the queue on return; stalls wait in their ports, other records are dropped. */
  async disableEventQueue(): Promise<void> {
    await this.#control(0, CR0_EVTQEN);
  }

  /** PRIQEN on. `lastOnly`: interrupt at each request that ends its group, rather than when the queue is no longer empty.
   * @throws IommuError EOPNOTSUPP without a PRI queue, ETIMEDOUT */
  async enablePriQueue(lastOnly: boolean = false): Promise<void> {
    if (this.#words[this.#base + SMMU_PRIQ_LOG2] === NO_PRIQ)
      throw new IommuError('EOPNOTSUPP', 'enablePriQueue', 'base', this.#base, 'the SMMU has no PRI queue');
    Atomics.store(this.#words, this.#base + SMMU_PRIQ_IRQ_CFG2, lastOnly ? PRIQ_IRQ_LO : 0);
    await this.#control(CR0_PRIQEN, 0);
  }

  /** PRIQEN off: what was recorded is in the queue on return; requests from now on are answered Response Failure by the hardware. */
  async disablePriQueue(): Promise<void> {
    await this.#control(0, CR0_PRIQEN);
  }

  /** Gives a stream to `device` (index in the core's device table) and translates it.
   * @throws IommuError ENODEV outside the stream table, EBUSY when it has a driver, ETIMEDOUT */
  async attachStream(streamId: number, device: number, options: AttachOptions): Promise<void> {
    const at = streamEntryAt(this.#words, this.#base, streamId);
    if (Atomics.load(this.#words, at + STE_MASTER) !== 0)
      throw new IommuError('EBUSY', 'attachStream', 'streamId', streamId, 'has a driver already');
    const substreams = options.substreams ?? 2 ** 20;
    writeStream(this.#words, this.#base, streamId, { config: STE_TRANSLATE, stall: options.stall, substreams, device });
    await this.#invalidate(streamId);
  }

  /** Stops the stream: on return the hardware records nothing more of it. Its driver stays known, so that late records find it. */
  async blockStream(streamId: number): Promise<void> {
    const at = streamEntryAt(this.#words, this.#base, streamId);
    Atomics.store(this.#words, at + STE_WORD, STE_V | STE_ABORT);
    await this.#invalidate(streamId);
  }

  /** Takes the stream from its driver. The caller has blocked it, fenced the event queue and answered what was pending. */
  async detachStream(streamId: number): Promise<void> {
    const at = streamEntryAt(this.#words, this.#base, streamId);
    Atomics.store(this.#words, at + STE_WORD, 0);
    Atomics.store(this.#words, at + STE_MASTER, 0);
    await this.#invalidate(streamId);
  }

  /** Waits until no report of a record older than this call is under way: CMD_SYNC, so that the hardware has written what it had to write, then
   * until the event pump is done with all of that. With the stream blocked before, none of it is reported later.
   * @throws IommuError ETIMEDOUT when the hardware or the pump stands still. */
  async fenceEventQueue(): Promise<void> {
    await this.#ops.syncAsync();
    await runProcedure(this.#words, this.eventQueuePassed());
  }

  /** Waits until the event pump is done with what the hardware had written when this began: {@link fenceEventQueue} after its CMD_SYNC, for a
   * thread that takes the steps itself. @throws IommuError ETIMEDOUT */
  eventQueuePassed(): Procedure {
    const target = Atomics.load(this.#words, this.#base + SMMU_STATS + STAT_EVENTS); // pairs with completeSync: records, then the MSI word
    return this.#passed('fenceEventQueue', SMMU_EVTQ_PASSED, SMMU_EVTQ_FENCES, target);
  }

  /** Waits until no report of a page request is under way that the function had sent before this call: an invalidation of its whole cache,
   * whose completion pushes the requests before it into the queue, then until the PRI pump is done with what is there. An overflow may have
   * lost some of them: their groups were answered, or are dropped when the pump acknowledges it.
   * @throws IommuError ETIMEDOUT when the hardware, the function or the pump stands still. */
  async fencePriQueue(streamId: number): Promise<void> {
    const timeouts = this.#ops.atcTimeouts;
    this.#ops.invalidateAtc(streamId, -1, 0, 0, 0);
    await this.#ops.syncAsync();
    if (this.#ops.atcTimeouts !== timeouts)
      throw new IommuError('ETIMEDOUT', 'fencePriQueue', 'streamId', streamId, 'completed no invalidation');
    const target = Atomics.load(this.#words, this.#base + SMMU_STATS + STAT_PAGE_REQUESTS); // pairs with completeSync: records, then the MSI word
    await runProcedure(this.#words, this.#passed('fencePriQueue', SMMU_PRIQ_PASSED, SMMU_PRIQ_FENCES, target));
  }

  /** Deals with GERROR: ends every stall after an event queue abort, as records of stalls may be lost; switches the SMMU off in service failure
   * mode; acknowledges what it dealt with. Command errors are the issuing threads' (SmmuOps). After a PRI queue abort, requests may be
   * without an answer: their functions are to be reset.
   * @returns names of the errors that were active.
   * @see Linux arm_smmu_gerror_handler() */
  async handleGlobalErrors(): Promise<string[]> {
    const words = this.#words;
    const gerror = Atomics.load(words, this.#base + SMMU_GERROR);
    const active = (gerror ^ Atomics.load(words, this.#base + SMMU_GERRORN)) & GERROR_MASK & ~GERROR_CMDQ;
    if ((active & GERROR_EVTQ_ABT) !== 0) await this.#terminateStalls();
    if ((active & GERROR_SFM) !== 0) await this.disable();
    acknowledgeGlobalErrors(words, this.#base, active);
    if (active !== 0) this.#hardware.ring();
    return GERROR_NAMES.filter(([bit]) => (active & bit) !== 0).map(([, name]) => name);
  }

  async #terminateStalls(): Promise<void> {
    const streams = this.#words[this.#base + SMMU_STREAMS];
    for (let stream = 0; stream < streams; stream++) {
      this.#ops.stallTerm(stream);
      if (stream % TERM_BATCH === TERM_BATCH - 1) await this.#ops.syncAsync();
    }
    await this.#ops.syncAsync();
  }

  /** Waits until the hardware has taken every command published before this call, in all queues: the answers of other threads too.
   * @throws IommuError ETIMEDOUT */
  async fenceCommands(): Promise<void> {
    const words = this.#words;
    for (let queue = 0; queue < words[this.#base + SMMU_CMDQ_COUNT]; queue++) {
      const at = commandQueueBase(words, this.#base, queue);
      const log2 = words[this.#base + SMMU_CMDQ_LOG2];
      const target = queueIndex(Atomics.load(words, at + CMDQ_PROD), log2);
      let left = queueUsed(target, queueIndex(Atomics.load(words, at + CMDQ_CONS), log2), log2);
      for (const deadline = performance.now() + this.#timeoutMs; left > 0; ) {
        if (performance.now() >= deadline)
          throw new IommuError('ETIMEDOUT', 'fenceCommands', 'queue', queue, `${left} commands are not consumed`);
        await turnOfEventLoop();
        const now = queueUsed(target, queueIndex(Atomics.load(words, at + CMDQ_CONS), log2), log2);
        left = now > left ? 0 : now; // more than before: CONS has passed the target
      }
    }
  }

  async #invalidate(streamId: number): Promise<void> {
    this.#ops.invalidateStream(streamId);
    await this.#ops.syncAsync();
  }

  async #control(set: number, clear: number): Promise<void> {
    const at = this.#base + SMMU_CR0;
    Atomics.or(this.#words, at, set);
    Atomics.and(this.#words, at, ~clear);
    this.#hardware.ring();
    const isEffective = (ack: number): boolean => (ack & set) === set && (ack & clear) === 0;
    await runProcedure(
      this.#words,
      untilWord(this.#words, 'CR0', this.#base + SMMU_CR0ACK, isEffective, this.#timeoutMs),
    );
  }

  #passed(call: string, passed: number, fences: number, target: number): Procedure {
    return untilPassed(this.#words, call, this.#base + passed, this.#base + fences, target, this.#timeoutMs);
  }
}

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
