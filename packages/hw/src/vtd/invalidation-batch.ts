import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { deviceTlbRid, WAIT_DRAIN, WAIT_STATUS, writeWait } from './descriptor-codec.ts';
import type { InvalidationQueue } from './invalidation-queue.ts';
import { DESCRIPTOR_WORDS, INV_DEVICE_TLB, INV_PASID_DEVICE_TLB, invalidationType } from './invalidations.ts';
import { NO_DEVICE, THREAD_BAD, THREAD_BAD_AT, THREAD_STATUS, VTD_RIDS } from './layout.ts';
import { deviceEntryAt } from './unit.ts';

/** Descriptors of a batch, besides its wait. */
export const BATCH = 62;

const PENDING = 0;
const DONE = 1;
const ABORTED = 2;

/** One thread's descriptors with one wait behind them: gathered, put into the queue at once, and kept until the wait is over, because an
 * invalidation time-out, even of somebody else's device, aborts it, and then all of it is put again.
 * @see Linux qi_submit_sync(), qi_check_fault() */
export class InvalidationBatch {
  /** The descriptors. Filled from outside at what {@link claim} gives. */
  readonly descriptors: Int32Array = new Int32Array((BATCH + 1) * DESCRIPTOR_WORDS);
  /** Word offset that changes when a wait of this thread is over. */
  readonly statusAt: number;
  readonly #words: Words;
  readonly #base: number;
  readonly #line: number;
  readonly #queue: InvalidationQueue;
  readonly #timeoutMs: number;
  #count = 0;
  #sequence: number; // status data of this thread's last wait
  #refused = 0; // BAD when the wait was put
  #first = 0; // position of the first descriptor
  #waitAt = 0; // and of the wait
  #timeouts = 0; // ITEs before it was put
  #drain = false;
  #deadline = 0;

  /** @param line the thread's status line. */
  constructor(words: Words, base: number, line: number, queue: InvalidationQueue, timeoutMs: number) {
    this.#words = words;
    this.#base = base;
    this.#line = line;
    this.#queue = queue;
    this.#timeoutMs = timeoutMs;
    this.statusAt = line + THREAD_STATUS;
    this.#sequence = Atomics.load(words, this.statusAt);
  }

  /** How many more descriptors fit. */
  get room(): number {
    return BATCH - this.#count;
  }

  /** @returns word offset of the next descriptor. There is room. */
  claim(): number {
    return this.#count++ * DESCRIPTOR_WORDS;
  }

  /** Puts the batch and its wait into the queue. @throws IommuError ETIMEDOUT a hardware that takes nothing: the batch is dropped */
  begin(drain: boolean): void {
    this.#drain = drain;
    this.#deadline = performance.now() + this.#timeoutMs;
    this.#put();
  }

  /** Whether the wait was over when last seen, without looking for errors. */
  get isDone(): boolean {
    return !this.isAhead(Atomics.load(this.#words, this.statusAt)); // [S]
  }

  /** Whether the wait comes after the one that wrote `status`. */
  isAhead(status: number): boolean {
    return ((status - this.#sequence) | 0) < 0;
  }

  /** Looks whether what {@link begin} put is over, acknowledges errors, and puts it again if a time-out aborted its wait.
   * @throws IommuError as VtdOps.isOver; the batch is dropped then */
  isOver(): boolean {
    const state = this.#poll();
    if (state === ABORTED) this.#put();
    if (state === DONE) this.#end();
    return state === DONE;
  }

  #put(): void {
    this.#sequence = (this.#sequence + 1) | 0;
    const flags = WAIT_STATUS | (this.#drain ? WAIT_DRAIN : 0);
    writeWait(this.descriptors, this.#count * DESCRIPTOR_WORDS, flags, this.statusAt, this.#sequence);
    this.#refused = Atomics.load(this.#words, this.#line + THREAD_BAD);
    this.#queue.readTimeout();
    this.#timeouts = this.#queue.timeouts;
    try {
      this.#first = this.#queue.put(this.descriptors, this.#count + 1);
    } catch (error) {
      this.#count = 0;
      throw error;
    }
    this.#waitAt = (this.#first + this.#count) | 0;
  }

  /** @throws IommuError ETIMEDOUT */
  #poll(): number {
    if (this.isDone) return DONE;
    this.#queue.recover();
    this.#queue.readTimeout();
    if (this.isDone) return DONE; // after the time-out was read: a wait that it did not abort is over by now, or still under way
    // However far the queue has come since: without FN, others' descriptors overtake a wait.
    if (this.#queue.timeouts !== this.#timeouts && ((this.#queue.abortedBefore - this.#waitAt) | 0) > 0) {
      const rid = this.#queue.timedOutRid;
      if (this.#asks(rid) && !this.#isPresent(rid))
        this.#timedOut('rid', rid, 'the device is gone, and its invalidation timed out');
      if (performance.now() >= this.#deadline)
        this.#timedOut('rid', rid, 'the device does not complete its invalidations');
      return ABORTED;
    }
    if (performance.now() >= this.#deadline) this.#timedOut('timeoutMs', this.#timeoutMs, 'the wait is not over');
    this.#queue.kick(); // a hardware that sleeps does not see its devices' deadlines pass
    return PENDING;
  }

  #timedOut(field: string, value: number, why: string): never {
    this.#count = 0;
    throw new IommuError('ETIMEDOUT', 'VtdOps.sync', field, value, why);
  }

  /** @throws IommuError EINVAL */
  #end(): void {
    const count = this.#count;
    this.#count = 0;
    if (Atomics.load(this.#words, this.#line + THREAD_BAD) === this.#refused) return;
    const bad = (Atomics.load(this.#words, this.#line + THREAD_BAD_AT) - this.#first) >>> 0;
    if (bad >= count) return; // a response that nobody waits for
    const type = this.descriptors[bad * DESCRIPTOR_WORDS] & 15;
    throw new IommuError('EINVAL', 'VtdOps.sync', 'descriptor', bad, `the hardware refused it (type ${type})`);
  }

  /** Whether the batch invalidates that device. Linux gives up in whichever thread finds the time-out, be it another's. */
  #asks(rid: number): boolean {
    for (let i = 0; i < this.#count; i++) {
      const at = i * DESCRIPTOR_WORDS;
      const type = invalidationType(this.descriptors, at);
      if ((type === INV_DEVICE_TLB || type === INV_PASID_DEVICE_TLB) && deviceTlbRid(this.descriptors, at) === rid)
        return true;
    }
    return false;
  }

  #isPresent(rid: number): boolean {
    if (rid >= this.#words[this.#base + VTD_RIDS]) return false;
    return Atomics.load(this.#words, deviceEntryAt(this.#words, this.#base, rid)) !== NO_DEVICE;
  }
}
