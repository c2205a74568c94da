import { IommuError } from '@faultline/core/errors';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAG_RESPONSE_NEEDS_PASID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  type FaultPath,
  type FaultReporter,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import { publishPassed } from '../procedure/fence.ts';
import {
  QUEUE_OVERFLOW,
  queueAdvance,
  queueConsistent,
  queueIndex,
  queueOverflowed,
  queueSlot,
  queueUsed,
} from '../queue/index.ts';
import { PRI_RESP_FAILURE } from './commands.ts';
import {
  checkSmmu,
  NO_PRIQ,
  SMMU_PRIQ,
  SMMU_PRIQ_CONS,
  SMMU_PRIQ_FENCES,
  SMMU_PRIQ_LOG2,
  SMMU_PRIQ_PASSED,
  SMMU_PRIQ_PROD,
  SMMU_STREAMS,
  SMMU_STRTAB,
  STE_MASTER,
  STE_PPAR_BIT,
  STE_PPAR_WORD,
  STE_WORDS,
} from './layout.ts';
import { isStopMarker, PRIQ_LAST, PRIQ_RECORD_WORDS, priqPerm } from './priq-records.ts';
import { PRI_TOKEN, type SmmuOps } from './smmu-ops.ts';

const BATCH = 64;
const PASID_MASK = 0xfffff;
const NO_SUBSTREAM = -1;

/** What became of a record. */
export const PRIQ_OUTCOMES = [
  'reported', // handed to the core, which answers the device once its group is complete
  'refused', // handed to the core, which refused it (and answered the device if it was the last of its group)
  'denied', // the last request of a group, answered Response Failure: mainline's way, or nobody's device
  'ignored', // not the last of its group, and nobody's: no answer is due
  'stopMarkers', // never answered
  'overflows', // overflows acknowledged
  'discarded', // set-aside requests dropped at an overflow
  'inconsistent', // PROD and CONS made no sense: nothing was taken
] as const;
export type PriqOutcome = (typeof PRIQ_OUTCOMES)[number];
const REPORTED = 0;
const REFUSED = 1;
const DENIED = 2;
const IGNORED = 3;
const STOP_MARKERS = 4;
const OVERFLOWS = 5;
const DISCARDED = 6;
const INCONSISTENT = 7;

export interface PriqPumpConfig {
  /** Where requests are reported. Without: nowhere, as in mainline Linux, which has no PRI on SMMUv3: every group is denied, a stop marker
   * (which has Last too) taken for one. */
  readonly reporter?: FaultReporter & Partial<Pick<FaultPath, 'discardPartial'>>;
  /** Answers what cannot be reported. This thread's own. */
  readonly ops: Pick<SmmuOps, 'priResponse' | 'flushResponses'>;
  /** Told of every record that is not reported, for logs: outcome and the record's word offset, valid during the call. */
  readonly onRecord?: (outcome: PriqOutcome, recordAt: number) => void;
}

/** The driver's end of the PRI queue. Make one, in the interrupt thread. Orderings are named in priq-writer.ts.
 *
 * Entries are given back before the answers of their batch are published, because an answer returns a credit, and so may bring the next
 * request (chapter 8). After an overflow the requests that are set aside are dropped: their last ones were answered by the hardware.
 * @see Linux arm_smmu_priq_thread(), arm_smmu_handle_ppr() */
export class PriqPump {
  readonly #words: Words;
  readonly #base: number;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #entries: number;
  readonly #log2: number;
  readonly #streams: number;
  readonly #strtab: number;
  readonly #reporter: PriqPumpConfig['reporter'];
  readonly #ops: PriqPumpConfig['ops'];
  readonly #onRecord: PriqPumpConfig['onRecord'];
  readonly #counts: Int32Array = new Int32Array(PRIQ_OUTCOMES.length);
  #cons: number; // index and wrap in PRIQ_CONS, which no one else writes
  #ack: number; // OVACKFLG as in PRIQ_CONS
  #passed: number; // PRIQ_PASSED, which no one else writes
  #taking = 0; // index and wrap behind the record in hand
  #answered = false; // this batch answered something itself

  /** @throws IommuError EINVAL when there is no SMMU at `base`, EOPNOTSUPP when it has no PRI queue. */
  constructor(words: Words, base: number, config: PriqPumpConfig) {
    checkSmmu(words, base, 'PriqPump');
    if (words[base + SMMU_PRIQ_LOG2] === NO_PRIQ)
      throw new IommuError('EOPNOTSUPP', 'PriqPump', 'base', base, 'the SMMU has no PRI queue');
    this.#words = words;
    this.#base = base;
    this.#prodAt = base + SMMU_PRIQ_PROD;
    this.#consAt = base + SMMU_PRIQ_CONS;
    this.#entries = base + words[base + SMMU_PRIQ];
    this.#log2 = words[base + SMMU_PRIQ_LOG2];
    this.#streams = words[base + SMMU_STREAMS];
    this.#strtab = base + words[base + SMMU_STRTAB];
    this.#reporter = config.reporter;
    this.#ops = config.ops;
    this.#onRecord = config.onRecord;
    const cons = Atomics.load(words, this.#consAt);
    this.#cons = queueIndex(cons, this.#log2);
    this.#ack = cons & QUEUE_OVERFLOW;
    this.#passed = Atomics.load(words, base + SMMU_PRIQ_PASSED);
  }

  /** Takes records until the queue is really empty, or `budget` of them, and acknowledges an overflow once it is. @returns how many. */
  pump(budget: number): number {
    let taken = 0;
    while (taken < budget) {
      const prod = Atomics.load(this.#words, this.#prodAt); // [C] [E]: after the store of PRIQ_CONS by the batch before
      const used = queueUsed(prod, this.#cons, this.#log2);
      if (used === 0) {
        this.#drained(prod);
        break;
      }
      taken += this.#takeBatch(Math.min(used, budget - taken, BATCH));
    }
    return taken;
  }

  /** Whether there is something to take or to acknowledge, looking afresh: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    const prod = Atomics.load(this.#words, this.#prodAt); // [E]
    return (
      queueUsed(prod, this.#cons, this.#log2) !== 0 ||
      (queueOverflowed(prod, this.#ack) && queueConsistent(prod, this.#cons, this.#log2))
    );
  }

  /** How often each outcome occurred. */
  counts(): Record<PriqOutcome, number> {
    const counts = {} as Record<PriqOutcome, number>;
    PRIQ_OUTCOMES.forEach((outcome, i) => {
      counts[outcome] = this.#counts[i];
    });
    return counts;
  }

  #takeBatch(count: number): number {
    let cons = this.#cons;
    for (let i = 0; i < count; i++) {
      const at = this.#entries + queueSlot(cons, this.#log2) * PRIQ_RECORD_WORDS;
      cons = this.#taking = queueAdvance(cons, 1, this.#log2);
      this.#take(at);
    }
    this.#cons = cons;
    Atomics.store(this.#words, this.#consAt, cons | this.#ack); // [R] [E]
    if (this.#answered) this.#flush();
    this.#reporter?.endBatch();
    this.#pass(count);
    return count;
  }

  #take(at: number): void {
    const words = this.#words;
    const streamId = words[at];
    const high = words[at + 1];
    if (this.#reporter === undefined) {
      this.#deny(at);
      return;
    }
    if (isStopMarker(high)) {
      this.#note(STOP_MARKERS, at);
      return;
    }
    const master = streamId >>> 0 < this.#streams ? words[this.#strtab + streamId * STE_WORDS + STE_MASTER] : 0;
    if (master === 0) this.#deny(at);
    else this.#report(this.#reporter, at, streamId, master - 1);
  }

  #report(reporter: FaultReporter, at: number, streamId: number, device: number): void {
    const words = this.#words;
    const record = reporter.prepareFault();
    const high = words[at + 1];
    const ssv = high < 0;
    const ppar = (Atomics.load(words, this.#strtab + streamId * STE_WORDS + STE_PPAR_WORD) & STE_PPAR_BIT) !== 0;
    words[record + FAULT_DEVICE] = device;
    words[record + FAULT_FLAGS] =
      ((high & PRIQ_LAST) !== 0 ? FAULT_FLAG_LAST_PAGE : 0) |
      (ssv ? FAULT_FLAG_PASID_VALID : 0) |
      (ssv && ppar ? FAULT_FLAG_RESPONSE_NEEDS_PASID : 0);
    words[record + FAULT_PASID] = ssv ? high & PASID_MASK : 0;
    words[record + FAULT_GRPID] = words[at + 2] & 0x1ff;
    words[record + FAULT_PERM] = priqPerm(high);
    words[record + FAULT_PAGE_LO] = (words[at + 2] >>> 12) | (words[at + 3] << 20);
    words[record + FAULT_PAGE_HI] = words[at + 3] >>> 12;
    words[record + FAULT_TOKEN] = streamId | PRI_TOKEN;
    if (reporter.reportDeviceFault(record) === 0) this.#counts[REPORTED]++;
    else this.#note(REFUSED, at);
  }

  /** The group is the unit of an answer: a request that is not its last gets none. The entry is given back first: in a full command queue the
   * answer may go out at once. */
  #deny(at: number): void {
    const high = this.#words[at + 1];
    if ((high & PRIQ_LAST) === 0) {
      this.#note(IGNORED, at);
      return;
    }
    const streamId = this.#words[at];
    const prgIndex = this.#words[at + 2] & 0x1ff;
    this.#note(DENIED, at);
    Atomics.store(this.#words, this.#consAt, this.#taking | this.#ack); // [R]
    this.#ops.priResponse(streamId, high < 0 ? high & PASID_MASK : NO_SUBSTREAM, prgIndex, PRI_RESP_FAILURE);
    this.#answered = true;
  }

  #note(outcome: number, at: number): void {
    this.#counts[outcome]++;
    this.#onRecord?.(PRIQ_OUTCOMES[outcome], at);
  }

  #flush(): void {
    this.#answered = false;
    this.#ops.flushResponses();
  }

  /** Acknowledges an overflow once everything that was recorded is taken. Until then the hardware records nothing, so no group that
   * begins afterwards can be taken for one of those that are dropped here: the same group index may come again. */
  #drained(prod: number): void {
    if (!queueConsistent(prod, this.#cons, this.#log2)) {
      this.#counts[INCONSISTENT]++;
      return;
    }
    if (!queueOverflowed(prod, this.#ack)) return;
    this.#discardPartials();
    this.#ack = prod & QUEUE_OVERFLOW;
    this.#counts[OVERFLOWS]++;
    Atomics.store(this.#words, this.#consAt, this.#cons | this.#ack);
  }

  #discardPartials(): void {
    const discard = this.#reporter;
    if (discard?.discardPartial === undefined) return;
    for (let stream = 0; stream < this.#streams; stream++) {
      const master = this.#words[this.#strtab + stream * STE_WORDS + STE_MASTER];
      if (master !== 0) this.#counts[DISCARDED] += discard.discardPartial(master - 1);
    }
  }

  /** Says how far reports have come, to SmmuDriver.fencePriQueue. */
  #pass(count: number): void {
    this.#passed = (this.#passed + count) | 0;
    publishPassed(this.#words, this.#base + SMMU_PRIQ_PASSED, this.#base + SMMU_PRIQ_FENCES, this.#passed);
  }
}
