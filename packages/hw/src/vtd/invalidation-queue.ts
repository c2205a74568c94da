import { checkInteger, IommuError } from '@faultline/core/errors';
import { type Doorbell, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import { writeWait } from './descriptor-codec.ts';
import { DESCRIPTOR_WORDS } from './invalidations.ts';
import {
  THREAD_BAD,
  THREAD_BAD_AT,
  THREAD_WORDS,
  VTD_FSTS,
  VTD_IQ,
  VTD_IQ_ABORTED,
  VTD_IQ_ITE_SID,
  VTD_IQ_LOCK,
  VTD_IQ_ORDER,
  VTD_IQ_PUT,
  VTD_IQ_RECOVERED,
  VTD_IQ_TIMEOUTS,
  VTD_IQ_WAITERS,
  VTD_IQERCD,
  VTD_IQH,
  VTD_IQT,
  VTD_SLOT_OWNERS,
  VTD_THREAD_LINES,
} from './layout.ts';
import { FSTS_IQE, FSTS_ITE, FSTS_QUEUE_ERRORS } from './registers.ts';
import { descriptorWords, threadLineAt } from './unit.ts';

/** A thread that waits for the hardware looks for queue errors this often, and makes the hardware look at its clock. */
export const SLICE_MS = 20;

export interface InvalidationQueueConfig {
  readonly self: ThreadSelf;
  /** This thread's number among those that submit, from 0. */
  readonly thread: number;
  readonly hardwareDoorbell: Doorbell;
  /** How long to wait for room. */
  readonly timeoutMs: number;
}

/** A thread's way into the unit's one invalidation queue: descriptors are put under a mutex, and errors are recovered from under it. The mutex
 * is never held while waiting for the hardware. Orderings are named in invalidation-unit.ts.
 * @see Linux qi_submit_sync(), qi_check_fault() */
export class InvalidationQueue {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;
  readonly #thread: number;
  readonly #lock: number;
  readonly #entries: number;
  readonly #owners: number;
  readonly #size: number; // words of a descriptor
  readonly #slotLg2: number; // bytes of a descriptor, log2
  readonly #bytes: number; // of the whole queue, a power of two
  /** Descriptors that fit at once: one always stays empty. */
  readonly capacity: number;
  // As of the last readTimeout().
  /** ITEs so far, wrapping. */
  timeouts = 0;
  /** Waits put before this position, and not over when the last ITE came, were given up by it. */
  abortedBefore = 0;
  /** The requester that it named. */
  timedOutRid = 0;

  /** @throws IommuError EINVAL when there is no such unit or thread. */
  constructor(words: Words, base: number, config: InvalidationQueueConfig) {
    threadLineAt(words, base, config.thread);
    this.#words = words;
    this.#base = base;
    this.#self = config.self;
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs;
    this.#thread = config.thread;
    this.#lock = base + VTD_IQ_LOCK;
    this.#entries = base + words[base + VTD_IQ];
    this.#owners = base + words[base + VTD_SLOT_OWNERS];
    this.#size = descriptorWords(words, base);
    this.#bytes = 4096 << words[base + VTD_IQ_ORDER];
    this.#slotLg2 = 33 - Math.clz32(this.#size);
    this.capacity = (this.#bytes >>> this.#slotLg2) - 1;
  }

  /** Puts `count` descriptors, of 32 bytes each in `from`, side by side, publishes them with one store and rings the hardware.
   * Context: waits while the queue has no room for all of them. @returns the position of the first, in the count of all descriptors ever put.
   * @throws IommuError ETIMEDOUT a hardware that takes nothing, ENOSPC more than the queue holds */
  put(from: Int32Array, count: number): number {
    if (count > this.capacity)
      throw new IommuError('ENOSPC', 'InvalidationQueue.put', 'count', count, `the queue holds ${this.capacity}`);
    for (let deadline = 0; ; ) {
      mutexLock(this.#words, this.#lock, this.#self);
      const head = Atomics.load(this.#words, this.#base + VTD_IQH); // [F]
      const tail = this.#words[this.#base + VTD_IQT];
      if (this.#room(head, tail) >= count) {
        const first = this.#copy(from, count, tail);
        mutexUnlock(this.#words, this.#lock, this.#self);
        this.#hardware.ring();
        return first;
      }
      mutexUnlock(this.#words, this.#lock, this.#self);
      if (deadline === 0) deadline = performance.now() + this.#timeoutMs;
      this.#waitForRoom(head, deadline);
    }
  }

  /** Makes the hardware look: at the queue, at its clock, or at a mask that was cleared. */
  kick(): void {
    this.#hardware.ring();
  }

  /** Acknowledges the queue's errors, if there are any, so that it goes on.
   *  - IQE: the bad descriptor is overwritten by a wait that does nothing, as Linux overwrites it by the submission's own; whose it was is noted.
   *  - ITE: the waits that the hardware had taken are given up; who waits for one submits it again.
   *  - ICE: nothing to do.
   * @returns whether there was an error. Any thread may call it, without the mutex. */
  recover(): boolean {
    const words = this.#words;
    if ((Atomics.load(words, this.#base + VTD_FSTS) & FSTS_QUEUE_ERRORS) === 0) return false;
    mutexLock(words, this.#lock, this.#self);
    const errors = Atomics.load(words, this.#base + VTD_FSTS) & FSTS_QUEUE_ERRORS; // [X]
    if (errors !== 0) {
      const head = Atomics.load(words, this.#base + VTD_IQH); // [X]
      if ((errors & FSTS_IQE) !== 0) this.#replaceBad(head);
      if ((errors & FSTS_ITE) !== 0) this.#giveUpWaits(head);
      words[this.#base + VTD_IQ_RECOVERED]++;
      Atomics.and(words, this.#base + VTD_FSTS, ~errors); // write 1 to clear
    }
    mutexUnlock(words, this.#lock, this.#self);
    if (errors !== 0) this.#hardware.ring();
    return errors !== 0;
  }

  /** Reads what became of the last ITE into {@link timeouts}, {@link abortedBefore} and {@link timedOutRid}. */
  readTimeout(): void {
    mutexLock(this.#words, this.#lock, this.#self);
    this.timeouts = this.#words[this.#base + VTD_IQ_TIMEOUTS];
    this.abortedBefore = this.#words[this.#base + VTD_IQ_ABORTED];
    this.timedOutRid = this.#words[this.#base + VTD_IQ_ITE_SID];
    mutexUnlock(this.#words, this.#lock, this.#self);
  }

  /** Free descriptors; of a tail that makes no sense, none. */
  #room(head: number, tail: number): number {
    if (tail < 0 || tail >= this.#bytes) return 0;
    return this.capacity - (((tail - head) & (this.#bytes - 1)) >>> this.#slotLg2);
  }

  /** Context: the mutex. */
  #copy(from: Int32Array, count: number, tail: number): number {
    const words = this.#words;
    const size = this.#size;
    const first = words[this.#base + VTD_IQ_PUT];
    let slot = tail >>> this.#slotLg2;
    for (let i = 0; i < count; i++) {
      const to = this.#entries + slot * size;
      const at = i * DESCRIPTOR_WORDS;
      for (let word = 0; word < size; word++) words[to + word] = from[at + word];
      words[this.#owners + slot] = this.#thread;
      slot = (slot + 1) & this.capacity;
    }
    words[this.#base + VTD_IQ_PUT] = (first + count) | 0;
    Atomics.store(words, this.#base + VTD_IQT, slot << this.#slotLg2); // [P]
    return first;
  }

  /** Context: the mutex; the hardware stands at `head` and does not read it. A tail that made no sense had no descriptors: it goes back to
   * the head. */
  #replaceBad(head: number): void {
    const words = this.#words;
    const tail = words[this.#base + VTD_IQT];
    if (tail < 0 || tail >= this.#bytes || tail % (1 << this.#slotLg2) !== 0) {
      Atomics.store(words, this.#base + VTD_IQT, head);
      return;
    }
    const descriptor = NO_OP;
    for (let word = 0; word < this.#size; word++) words[this.#entries + (head >>> 2) + word] = descriptor[word];
    const owner = words[this.#owners + (head >>> this.#slotLg2)];
    const line = this.#base + words[this.#base + VTD_THREAD_LINES] + owner * THREAD_WORDS;
    Atomics.store(words, line + THREAD_BAD_AT, this.#positionOf(head));
    Atomics.add(words, line + THREAD_BAD, 1); // pairs with VtdOps: BAD, then BAD_AT
  }

  /** Context: the mutex. */
  #giveUpWaits(head: number): void {
    const words = this.#words;
    words[this.#base + VTD_IQ_ITE_SID] = Atomics.load(words, this.#base + VTD_IQERCD + 1) & 0xffff;
    words[this.#base + VTD_IQ_ABORTED] = this.#positionOf(head);
    words[this.#base + VTD_IQ_TIMEOUTS]++;
  }

  /** Position of the descriptor at byte offset `head`: what was put, less what lies between it and the tail. */
  #positionOf(head: number): number {
    const tail = this.#words[this.#base + VTD_IQT];
    const used = ((tail - head) & (this.#bytes - 1)) >>> this.#slotLg2;
    return (this.#words[this.#base + VTD_IQ_PUT] - used) | 0;
  }

  #waitForRoom(head: number, deadline: number): void {
    const words = this.#words;
    if (this.recover()) return;
    if (performance.now() >= deadline)
      throw new IommuError(
        'ETIMEDOUT',
        'InvalidationQueue.put',
        'timeoutMs',
        this.#timeoutMs,
        'no descriptor was taken',
      );
    this.#hardware.ring();
    Atomics.add(words, this.#base + VTD_IQ_WAITERS, 1); // [W]
    Atomics.wait(words, this.#base + VTD_IQH, head, SLICE_MS); // [W]
    Atomics.sub(words, this.#base + VTD_IQ_WAITERS, 1);
  }
}

/** A wait that neither writes nor interrupts: legal, as Linux's drain begins with one. */
const NO_OP: Int32Array = new Int32Array(DESCRIPTOR_WORDS);
writeWait(NO_OP, 0, 0, 0, 0);

/** @throws IommuError EINVAL */
export function checkTimeoutMs(call: string, timeoutMs: number): number {
  return checkInteger(call, 'timeoutMs', timeoutMs, 1, 2 ** 31 - 1);
}
