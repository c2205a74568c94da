// A vIOMMU's events of one type on their way to user space. Any number of threads report, any number read.
//
// Ordering. The list is plain, under LOCK.
//   [W] wake: an event, then WAKE    pairs with  park: WAKE, then the list, then WAKE again (compared inside Atomics.wait)
// @see Linux drivers/iommu/iommufd/eventq.c, iommufd_private.h iommufd_vevent_handler()
import { mutexLock, mutexUnlock, type Words } from '@faultline/core/sync';
import type { Machine } from '../machine/index.ts';
import type { RecordPool } from '../memory/index.ts';
import {
  EVENT_BYTES,
  EVENT_NEXT,
  EVENT_PAYLOAD,
  EVENT_SEQUENCE,
  MAX_EVENT_BYTES,
  SEQUENCE_LAST,
  VEVENTQ_DEPTH,
  VEVENTQ_EVENTS,
  VEVENTQ_HEAD,
  VEVENTQ_LOCK,
  VEVENTQ_LOST,
  VEVENTQ_LOST_AT,
  VEVENTQ_SEQUENCE,
  VEVENTQ_TAIL,
  VEVENTQ_WAKE,
} from './layout.ts';

// What is shared is words: they become a payload's bytes in the thread's own memory.
const scratch = new Int32Array(MAX_EVENT_BYTES / 4);
const scratchBytes = new Uint8Array(scratch.buffer);

/** An event that was taken out of the list: owed one {@link EventQueue.delivered} or {@link EventQueue.restore}. */
export interface TakenEvent {
  /** Its record, 0 for the header that says that events were lost. */
  readonly record: number;
  readonly sequence: number;
}

/** One thread's view of an event queue. Whoever has one holds the queue: through its object, or its open file. */
export class EventQueue {
  readonly #machine: Machine;
  readonly #words: Words;
  readonly #events: RecordPool;
  readonly #at: number;

  /** @param body record of the pool `veventqs`. */
  constructor(machine: Machine, body: number) {
    this.#machine = machine;
    this.#words = machine.words;
    this.#events = machine.pools.events;
    this.#at = machine.pools.veventqs.at(body);
  }

  lock(): void {
    mutexLock(this.#words, this.#at + VEVENTQ_LOCK, this.#machine.self);
  }
  unlock(): void {
    mutexUnlock(this.#words, this.#at + VEVENTQ_LOCK, this.#machine.self);
  }

  /** Puts an event at the end under the next number, or, where there is no room or no event, says that one was lost. A normal event takes
   * the place of a lost header: the gap in the numbers tells. Context: locked. @param event a filled record, 0: none could be had.
   * @returns false when it was lost: the record is the caller's still. */
  append(event: number): boolean {
    const words = this.#words;
    const at = this.#at;
    const sequence = words[at + VEVENTQ_SEQUENCE];
    words[at + VEVENTQ_SEQUENCE] = sequence === SEQUENCE_LAST ? 0 : sequence + 1;
    const isLost = event === 0 || words[at + VEVENTQ_EVENTS] === words[at + VEVENTQ_DEPTH];
    words[at + VEVENTQ_LOST] = isLost ? 1 : 0;
    if (isLost) {
      words[at + VEVENTQ_LOST_AT] = sequence;
      return false;
    }
    const eventAt = this.#events.at(event);
    words[eventAt + EVENT_SEQUENCE] = sequence;
    words[eventAt + EVENT_NEXT] = 0;
    if (words[at + VEVENTQ_HEAD] === 0) words[at + VEVENTQ_HEAD] = event;
    else words[this.#events.at(words[at + VEVENTQ_TAIL]) + EVENT_NEXT] = event;
    words[at + VEVENTQ_TAIL] = event;
    words[at + VEVENTQ_EVENTS]++;
    return true;
  }

  /** Takes the oldest event out. @returns undefined: none waits. */
  take(): TakenEvent | undefined {
    const words = this.#words;
    const at = this.#at;
    this.lock();
    try {
      const record = words[at + VEVENTQ_HEAD];
      if (record !== 0) {
        const eventAt = this.#events.at(record);
        words[at + VEVENTQ_HEAD] = words[eventAt + EVENT_NEXT];
        return { record, sequence: words[eventAt + EVENT_SEQUENCE] };
      }
      if (words[at + VEVENTQ_LOST] === 0) return undefined;
      words[at + VEVENTQ_LOST] = 0;
      return { record: 0, sequence: words[at + VEVENTQ_LOST_AT] };
    } finally {
      this.unlock();
    }
  }

  /** Puts a taken event back at the head. A lost header goes back where nothing waits; elsewhere what waits is newer, and tells. */
  restore({ record }: TakenEvent): void {
    const words = this.#words;
    const at = this.#at;
    this.lock();
    const head = words[at + VEVENTQ_HEAD];
    if (record === 0) {
      if (head === 0) words[at + VEVENTQ_LOST] = 1;
    } else {
      words[this.#events.at(record) + EVENT_NEXT] = head;
      words[at + VEVENTQ_HEAD] = record;
      if (head === 0) words[at + VEVENTQ_TAIL] = record;
    }
    this.unlock();
  }

  /** A taken event has reached its reader: there is room for another. */
  delivered({ record }: TakenEvent): void {
    if (record === 0) return;
    this.lock();
    this.#words[this.#at + VEVENTQ_EVENTS]--;
    this.unlock();
    this.#events.free(record); // out of the list, and this reader's alone
  }

  /** Bytes of a taken event's payload. */
  bytesOf({ record }: TakenEvent): number {
    return record === 0 ? 0 : this.#words[this.#events.at(record) + EVENT_BYTES];
  }

  /** Copies a taken event's payload. @param into {@link bytesOf} or more. */
  copyPayload(event: TakenEvent, into: Uint8Array): void {
    const from = this.#events.at(event.record) + EVENT_PAYLOAD;
    for (let i = 0; i < scratch.length; i++) scratch[i] = this.#words[from + i];
    into.set(scratchBytes.subarray(0, this.bytesOf(event)));
  }

  /** Whether an event waits, or the word that some were lost. */
  isWaiting(): boolean {
    this.lock();
    const isWaiting = this.#words[this.#at + VEVENTQ_HEAD] !== 0 || this.#words[this.#at + VEVENTQ_LOST] !== 0;
    this.unlock();
    return isWaiting;
  }

  /** Drops what waits, at the end of the queue: nobody else can reach it. */
  drop(): void {
    for (let event = this.take(); event !== undefined; event = this.take()) this.delivered(event);
  }

  /** Sleeps until something is reported, or for so long. May return early. */
  park(timeoutMs: number): void {
    const seen = Atomics.load(this.#words, this.#at + VEVENTQ_WAKE); // [W]
    if (!this.isWaiting()) Atomics.wait(this.#words, this.#at + VEVENTQ_WAKE, seen, timeoutMs);
  }

  /** As {@link park}, for event loops; keeps no process alive by itself. */
  async parkAsync(timeoutMs: number): Promise<void> {
    const seen = Atomics.load(this.#words, this.#at + VEVENTQ_WAKE); // [W]
    if (this.isWaiting()) return;
    const wait = Atomics.waitAsync(this.#words, this.#at + VEVENTQ_WAKE, seen, timeoutMs);
    if (wait.async) await wait.value;
  }

  /** Wakes who sleeps: something was reported, or the file is closed. */
  wake(): void {
    Atomics.add(this.#words, this.#at + VEVENTQ_WAKE, 1); // [W]
    Atomics.notify(this.#words, this.#at + VEVENTQ_WAKE);
  }
}
