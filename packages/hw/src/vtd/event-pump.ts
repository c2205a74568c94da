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
import { FaultTaker } from './fault-taker.ts';
import { PGR_INVALID } from './invalidations.ts';
import {
  NO_DEVICE,
  VTD_DEVICES,
  VTD_FSTS,
  VTD_PASS_WAITERS,
  VTD_PASSES,
  VTD_PQH,
  VTD_PQT,
  VTD_PRQ,
  VTD_PRS,
  VTD_RIDS,
} from './layout.ts';
import {
  canonicalShift,
  judgeWords,
  permOfWords,
  REQUEST_DESCRIPTOR_BYTES,
  REQUEST_GOOD,
  REQUEST_STOP_MARKER,
  REQUEST_UNKNOWN_TYPE,
  requestIsLast,
  requestPasid,
  requestPrgi,
  requestRid,
  W0_PASID_PRESENT,
  W1_LPIG,
} from './page-requests.ts';
import {
  DISCARDED,
  FAULT_OVERFLOWS,
  FAULTS,
  OUTCOME_OF,
  OVERFLOWS,
  OVERFLOWS_LEFT,
  PUMP_OUTCOMES,
  type PumpOutcome,
  QUEUE_ERRORS,
  REFUSED,
  REPORTED,
  UNKNOWN_REQUESTER,
} from './pump-outcomes.ts';
import { FSTS_EVENTS, PRS_PPR, PRS_PRO } from './registers.ts';
import { checkVtd, requestQueueBytes } from './unit.ts';
import type { VtdOps } from './vtd-ops.ts';

export interface EventPumpConfig {
  /** Takes the requests; drops a device's set-aside requests when their last ones were lost. */
  readonly reporter: FaultReporter & Pick<FaultPath, 'discardPartial'>;
  /** Answers requests that cannot be reported, and acknowledges queue errors. This thread's own. */
  readonly ops: Pick<VtdOps, 'respond' | 'flushResponses' | 'recover'>;
  /** Width of virtual addresses: 48 (default) or 57 bits. */
  readonly addressBits?: 48 | 57;
  /** Told of everything but a reported request, for logs: outcome and the record's word offset (0: none), valid during the call. */
  readonly onEvent?: (outcome: PumpOutcome, recordAt: number) => void;
}

/** The driver's end of the page request queue, and of the unit's fault events. Make one, in the interrupt thread. Orderings are named in
 * request-unit.ts and event-signal.ts.
 * @see Linux prq_event_thread(), dmar_fault() */
export class EventPump {
  readonly #words: Words;
  readonly #base: number;
  readonly #queue: number;
  readonly #mask: number; // of byte offsets
  readonly #rids: number;
  readonly #devices: number;
  readonly #faults: FaultTaker;
  readonly #signShift: number;
  readonly #reporter: EventPumpConfig['reporter'];
  readonly #ops: EventPumpConfig['ops'];
  readonly #onEvent: EventPumpConfig['onEvent'];
  readonly #counts: Int32Array = new Int32Array(PUMP_OUTCOMES.length);
  #unflushed = false; // answers of this pump's own are not published yet

  /** @throws IommuError EINVAL when `base` holds no unit, or addressBits is neither. */
  constructor(words: Words, base: number, config: EventPumpConfig) {
    checkVtd(words, base, 'EventPump');
    this.#words = words;
    this.#base = base;
    this.#queue = base + words[base + VTD_PRQ];
    this.#mask = requestQueueBytes(words, base) - REQUEST_DESCRIPTOR_BYTES;
    this.#rids = words[base + VTD_RIDS];
    this.#devices = base + words[base + VTD_DEVICES];
    this.#faults = new FaultTaker(words, base);
    this.#signShift = canonicalShift(config.addressBits ?? 48);
    this.#reporter = config.reporter;
    this.#ops = config.ops;
    this.#onEvent = config.onEvent;
  }

  /** Runs the handler until the queue is empty, or `budget` descriptors are taken. Every last request has been reported, or answered, on return.
   * @returns how many were taken. @throws IommuError ETIMEDOUT an invalidation queue that takes no answers: they are kept for the next call */
  pump(budget: number): number {
    let taken = 0;
    for (let batch = -1; batch !== 0 && taken < budget; taken += batch) batch = this.#pass(budget - taken);
    if ((Atomics.load(this.#words, this.#base + VTD_FSTS) & FSTS_EVENTS) !== 0) this.#takeFaults();
    return taken;
  }

  /** Whether there is anything to handle, looking afresh: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    const words = this.#words;
    return (
      this.#unflushed ||
      Atomics.load(words, this.#base + VTD_PRS) !== 0 ||
      ((Atomics.load(words, this.#base + VTD_PQT) - words[this.#base + VTD_PQH]) & this.#mask) !== 0 ||
      (Atomics.load(words, this.#base + VTD_FSTS) & FSTS_EVENTS) !== 0
    );
  }

  /** How often each outcome occurred. */
  counts(): Record<PumpOutcome, number> {
    const entries = PUMP_OUTCOMES.map((outcome, i) => [outcome, this.#counts[i]]);
    return Object.fromEntries(entries) as Record<PumpOutcome, number>;
  }

  /** The handler once: PPR first, so that what comes after the look at PQT interrupts again; PQH once, in the end, so that who drains finds no
   * request of its own in the queue only when its report is over. */
  #pass(budget: number): number {
    const words = this.#words;
    if ((Atomics.load(words, this.#base + VTD_PRS) & PRS_PPR) !== 0) Atomics.and(words, this.#base + VTD_PRS, ~PRS_PPR); // [E]
    const tail = Atomics.load(words, this.#base + VTD_PQT); // [C] [E]
    let head = words[this.#base + VTD_PQH] & this.#mask;
    const count = Math.min(((tail - head) & this.#mask) / REQUEST_DESCRIPTOR_BYTES, budget);
    for (let i = 0; i < count; i++) {
      this.#take(this.#queue + (head >>> 2));
      head = (head + REQUEST_DESCRIPTOR_BYTES) & this.#mask;
    }
    if (count > 0 || this.#unflushed) this.#endBatch(head);
    const overflowed = (Atomics.load(words, this.#base + VTD_PRS) & PRS_PRO) !== 0;
    if (overflowed) this.#acknowledge(head);
    if (count > 0 || overflowed) this.#passed();
    return count;
  }

  /** The requests are over with even if their answers find no room: those are kept, and leave with the next pass. */
  #endBatch(head: number): void {
    try {
      if (this.#unflushed) this.#ops.flushResponses();
      this.#unflushed = false;
      this.#reporter.endBatch();
    } finally {
      Atomics.store(this.#words, this.#base + VTD_PQH, head); // [R]
    }
  }

  /** Each word is read once: hardware that breaks its word finds one judgement and one record, of the same descriptor. */
  #take(at: number): void {
    const words = this.#words;
    const w0 = words[at];
    const w0High = words[at + 1];
    const w1 = words[at + 2];
    const w1High = words[at + 3];
    const judgement = judgeWords(w0, w0High, w1, w1High, this.#signShift);
    if (judgement !== REQUEST_GOOD) {
      if (judgement !== REQUEST_STOP_MARKER && judgement !== REQUEST_UNKNOWN_TYPE) this.#answerInvalid(at);
      this.#note(OUTCOME_OF[judgement], at);
      return;
    }
    const rid = w0 >>> 16;
    // Read plainly: the driver names the device before its context entry lets a request in, and clears it once the queue is drained.
    const device = rid < this.#rids ? words[this.#devices + rid] : NO_DEVICE;
    if (device === NO_DEVICE) {
      this.#answerInvalid(at);
      this.#note(UNKNOWN_REQUESTER, at);
      return;
    }
    const record = this.#reporter.prepareFault();
    const present = (w0 & W0_PASID_PRESENT) !== 0;
    words[record + FAULT_DEVICE] = device - 1;
    words[record + FAULT_FLAGS] =
      ((w1 & W1_LPIG) !== 0 ? FAULT_FLAG_LAST_PAGE : 0) |
      (present ? FAULT_FLAG_PASID_VALID | FAULT_FLAG_RESPONSE_NEEDS_PASID : 0);
    words[record + FAULT_PASID] = present ? w0High & 0xfffff : 0;
    words[record + FAULT_GRPID] = (w1 >>> 3) & 0x1ff;
    words[record + FAULT_PERM] = permOfWords(w0High, w1);
    words[record + FAULT_PAGE_LO] = (w1 >>> 12) | (w1High << 20);
    words[record + FAULT_PAGE_HI] = w1High >>> 12;
    words[record + FAULT_TOKEN] = rid;
    if (this.#reporter.reportDeviceFault(record) === 0) this.#counts[REPORTED]++;
    else this.#note(REFUSED, at);
  }

  /** A request that nobody else will answer; its group is over only if it is the last. */
  #answerInvalid(at: number): void {
    const words = this.#words;
    if (!requestIsLast(words, at)) return;
    this.#ops.respond(requestRid(words, at), requestPasid(words, at), requestPrgi(words, at), PGR_INVALID);
    this.#unflushed = true;
  }

  /** While PRO is set the hardware queues nothing: an empty queue stays empty, and what is set aside has lost its last request. */
  #acknowledge(head: number): void {
    const words = this.#words;
    if ((Atomics.load(words, this.#base + VTD_PQT) & this.#mask) !== head) {
      this.#note(OVERFLOWS_LEFT, 0);
      return;
    }
    for (let rid = 0; rid < this.#rids; rid++) {
      const device = words[this.#devices + rid];
      if (device !== NO_DEVICE) this.#counts[DISCARDED] += this.#reporter.discardPartial(device - 1);
    }
    Atomics.and(words, this.#base + VTD_PRS, ~PRS_PRO); // [O]
    this.#note(OVERFLOWS, 0);
  }

  /** Says that a pass is over, to Drain. */
  #passed(): void {
    const at = this.#base + VTD_PASSES;
    publishPassed(this.#words, at, this.#base + VTD_PASS_WAITERS, (this.#words[at] + 1) | 0);
  }

  /** Fault records, until none is full after PPF was cleared; then the overflow, then the invalidation queue's errors. */
  #takeFaults(): void {
    const faults = this.#faults;
    faults.begin();
    do {
      for (let at = faults.peek(); at !== 0; at = faults.peek()) {
        this.#note(FAULTS, at);
        faults.release();
      }
    } while (!faults.clearPending());
    if (faults.clearOverflow()) this.#note(FAULT_OVERFLOWS, 0);
    if (this.#ops.recover()) this.#note(QUEUE_ERRORS, 0);
  }

  #note(outcome: number, at: number): void {
    this.#counts[outcome]++;
    this.#onEvent?.(PUMP_OUTCOMES[outcome], at);
  }
}
