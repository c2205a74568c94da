import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_OFFSET_SHIFT,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
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
import { RESUME_ABORT } from './commands.ts';
import {
  EVENT_WORDS,
  EVT_F_PERMISSION,
  EVT_F_TRANSLATION,
  eventId,
  eventKind,
  eventPerm,
  eventStag,
  eventStalls,
} from './events.ts';
import {
  checkSmmu,
  SMMU_EVTQ,
  SMMU_EVTQ_CONS,
  SMMU_EVTQ_FENCES,
  SMMU_EVTQ_HELD,
  SMMU_EVTQ_LOG2,
  SMMU_EVTQ_PASSED,
  SMMU_EVTQ_PROD,
  SMMU_STREAMS,
  SMMU_STRTAB,
  STE_MASTER,
  STE_WORDS,
} from './layout.ts';
import type { SmmuOps } from './smmu-ops.ts';
import type { VirtualEventRouter } from './virtual/event-router.ts';

/** Records taken before the queue's CONS moves and the batch ends. */
const BATCH = 64;
const SSV_SHIFT = 11;

/** What became of a record. */
export const PUMP_OUTCOMES = [
  'reported', // handed to the core, which answers the device
  'refused', // handed to the core, which refused it (and answered the device)
  'events', // a record without a stall: counted, nothing to answer
  'unknownEvent', // an event number that SMMUv3 does not define
  'unknownStream', // a stall of a stream without a driver: answered abort
  'illegalStall', // Stall=1 in a record that may not stall: answered abort, a no-op if there is no such stall
  'overflows', // overflows acknowledged
  'inconsistent', // PROD and CONS made no sense: nothing was taken
  'forwarded', // a record without a stall of a guest's stream: its vIOMMU has it
] as const;
export type PumpOutcome = (typeof PUMP_OUTCOMES)[number];
const REPORTED = 0;
const REFUSED = 1;
const EVENTS = 2;
const UNKNOWN_EVENT = 3;
const UNKNOWN_STREAM = 4;
const ILLEGAL_STALL = 5;
const OVERFLOWS = 6;
const INCONSISTENT = 7;
const FORWARDED = 8;

export interface EventPumpConfig {
  readonly reporter: FaultReporter;
  /** Answers records that cannot be reported, and rings a hardware that waits for entries. This thread's own. */
  readonly ops: Pick<SmmuOps, 'resume' | 'flushResponses' | 'kick'>;
  /** Takes events of streams that belong to guests there. Default: there are none. */
  readonly router?: Pick<VirtualEventRouter, 'route'>;
  /** Told of every record that neither a handler nor a guest was told of, for logs: outcome and the record's word offset, valid during the
   * call. */
  readonly onEvent?: (outcome: PumpOutcome, recordAt: number) => void;
}

/** The driver's end of the event queue: decodes records, reports the stalled ones, and hands those of guests on. Make one, in the interrupt thread.
 * Orderings are named in event-writer.ts.
 * @see Linux arm_smmu_evtq_thread(), arm_smmu_handle_event() */
export class EventPump {
  readonly #words: Words;
  readonly #base: number;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #entries: number;
  readonly #log2: number;
  readonly #streams: number;
  readonly #strtab: number;
  readonly #reporter: FaultReporter;
  readonly #ops: Pick<SmmuOps, 'resume' | 'flushResponses' | 'kick'>;
  readonly #router: Pick<VirtualEventRouter, 'route'> | undefined;
  readonly #onEvent: ((outcome: PumpOutcome, recordAt: number) => void) | undefined;
  readonly #counts: Int32Array = new Int32Array(PUMP_OUTCOMES.length);
  #cons: number; // index and wrap in CONS, which no one else writes
  #ack: number; // OVACKFLG as in CONS
  #passed: number; // PASSED, which no one else writes
  #answered = false; // this batch answered something itself

  constructor(words: Words, base: number, config: EventPumpConfig) {
    checkSmmu(words, base, 'EventPump');
    this.#words = words;
    this.#base = base;
    this.#prodAt = base + SMMU_EVTQ_PROD;
    this.#consAt = base + SMMU_EVTQ_CONS;
    this.#entries = base + words[base + SMMU_EVTQ];
    this.#log2 = words[base + SMMU_EVTQ_LOG2];
    this.#streams = words[base + SMMU_STREAMS];
    this.#strtab = base + words[base + SMMU_STRTAB];
    this.#reporter = config.reporter;
    this.#ops = config.ops;
    this.#router = config.router;
    this.#onEvent = config.onEvent;
    const cons = Atomics.load(words, this.#consAt);
    this.#cons = queueIndex(cons, this.#log2);
    this.#ack = cons & QUEUE_OVERFLOW;
    this.#passed = Atomics.load(words, base + SMMU_EVTQ_PASSED);
  }

  /** Takes records until the queue is really empty, or `budget` of them. Every stalled one has been reported, or answered, on return.
   * @returns how many were taken. */
  pump(budget: number): number {
    let taken = 0;
    while (taken < budget) {
      const prod = Atomics.load(this.#words, this.#prodAt); // [C] [E]: after the store of CONS by the batch before
      const used = queueUsed(prod, this.#cons, this.#log2);
      if (used === 0) {
        this.#drained(prod);
        break;
      }
      taken += this.#takeBatch(Math.min(used, budget - taken, BATCH));
    }
    return taken;
  }

  /** Whether there are records to take, looking afresh: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    return queueUsed(Atomics.load(this.#words, this.#prodAt), this.#cons, this.#log2) !== 0; // [E]
  }

  /** How often each outcome occurred. */
  counts(): Record<PumpOutcome, number> {
    const counts = {} as Record<PumpOutcome, number>;
    PUMP_OUTCOMES.forEach((outcome, i) => {
      counts[outcome] = this.#counts[i];
    });
    return counts;
  }

  #takeBatch(count: number): number {
    let cons = this.#cons;
    for (let i = 0; i < count; i++) {
      this.#take(this.#entries + queueSlot(cons, this.#log2) * EVENT_WORDS);
      cons = queueAdvance(cons, 1, this.#log2);
    }
    this.#cons = cons;
    Atomics.store(this.#words, this.#consAt, cons | this.#ack); // [R] [E] [K]
    if (Atomics.load(this.#words, this.#base + SMMU_EVTQ_HELD) !== 0) this.#ops.kick(); // [K]
    if (this.#answered) this.#flush();
    this.#reporter.endBatch();
    this.#pass(count);
    return count;
  }

  #take(at: number): void {
    const words = this.#words;
    const id = words[at] & 0xff;
    if (words[at + 2] >= 0 || id < EVT_F_TRANSLATION || id > EVT_F_PERMISSION) {
      this.#takeOther(at);
      return;
    }
    const streamId = words[at + 1];
    const master = this.#master(streamId >>> 0);
    if (master === 0) this.#abort(at, UNKNOWN_STREAM);
    else this.#report(at, streamId, master - 1);
  }

  /** Read plainly: the driver sets MASTER before the stream's first record (CMD_SYNC, then the record's PROD order it), and clears it only
   * once the queue is fenced. @returns device index + 1 of the stream's driver, or 0. */
  #master(streamId: number): number {
    if (streamId >= this.#streams) return 0;
    return this.#words[this.#strtab + (streamId | 0) * STE_WORDS + STE_MASTER];
  }

  /** A stalled fault: every stall is a group of its own. */
  #report(at: number, streamId: number, device: number): void {
    const words = this.#words;
    const record = this.#reporter.prepareFault();
    const w0 = words[at];
    const addressLow = words[at + 4];
    const addressHigh = words[at + 5];
    const ssv = (w0 >>> SSV_SHIFT) & 1;
    words[record + FAULT_DEVICE] = device;
    words[record + FAULT_FLAGS] = ssv === 1 ? FAULT_FLAG_LAST_PAGE | FAULT_FLAG_PASID_VALID : FAULT_FLAG_LAST_PAGE;
    words[record + FAULT_PASID] = ssv === 1 ? w0 >>> 12 : 0;
    words[record + FAULT_GRPID] = words[at + 2] & 0xffff;
    words[record + FAULT_PERM] = eventPerm(words[at + 3]);
    words[record + FAULT_PAGE_LO] = (addressLow >>> 12) | (addressHigh << 20);
    words[record + FAULT_PAGE_HI] = (addressHigh >>> 12) | (addressLow << FAULT_OFFSET_SHIFT);
    words[record + FAULT_TOKEN] = streamId;
    if (this.#reporter.reportDeviceFault(record) === 0) this.#counts[REPORTED]++;
    else this.#note(REFUSED, at);
  }

  /** Everything but a stalled fault. */
  #takeOther(at: number): void {
    const known = eventKind(eventId(this.#words, at)) !== undefined;
    if (eventStalls(this.#words, at)) this.#abort(at, known ? ILLEGAL_STALL : UNKNOWN_EVENT);
    else if (known && this.#forward(at)) this.#counts[FORWARDED]++;
    else this.#note(known ? EVENTS : UNKNOWN_EVENT, at);
  }

  /** @returns whether a guest has been told. What no guest takes is the host's, as an event of any stream is. */
  #forward(at: number): boolean {
    if (this.#router === undefined) return false;
    const master = this.#master(this.#words[at + 1] >>> 0);
    return master !== 0 && this.#router.route(master - 1, at) === 0;
  }

  /** A record that asks for an answer and that nobody else will give one: the architecture requires it (4.7), Linux leaves the device stalled. */
  #abort(at: number, outcome: number): void {
    this.#ops.resume(this.#words[at + 1], eventStag(this.#words, at), RESUME_ABORT);
    this.#answered = true;
    this.#note(outcome, at);
  }

  #note(outcome: number, at: number): void {
    this.#counts[outcome]++;
    this.#onEvent?.(PUMP_OUTCOMES[outcome], at);
  }

  #flush(): void {
    this.#answered = false;
    this.#ops.flushResponses();
  }

  /** Acknowledges an overflow once everything that was recorded is taken: index, wrap and OVACKFLG in one store. */
  #drained(prod: number): void {
    if (!queueConsistent(prod, this.#cons, this.#log2)) this.#counts[INCONSISTENT]++;
    if (!queueOverflowed(prod, this.#ack)) return;
    this.#ack = prod & QUEUE_OVERFLOW;
    this.#counts[OVERFLOWS]++;
    Atomics.store(this.#words, this.#consAt, this.#cons | this.#ack);
  }

  /** Says how far reports have come, to SmmuDriver.fenceEventQueue. */
  #pass(count: number): void {
    this.#passed = (this.#passed + count) | 0;
    publishPassed(this.#words, this.#base + SMMU_EVTQ_PASSED, this.#base + SMMU_EVTQ_FENCES, this.#passed);
  }
}
