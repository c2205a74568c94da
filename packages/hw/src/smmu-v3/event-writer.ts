import type { Doorbell, Words } from '@faultline/core/sync';
import {
  QUEUE_OVERFLOW,
  queueAdvance,
  queueEmpty,
  queueFull,
  queueIndex,
  queueOverflowed,
  queueSlot,
  queueSpace,
} from '../queue/index.ts';
import { EVENT_WORDS } from './events.ts';
import {
  SMMU_EVTQ,
  SMMU_EVTQ_CONS,
  SMMU_EVTQ_HELD,
  SMMU_EVTQ_LOG2,
  SMMU_EVTQ_PROD,
  SMMU_STATS,
  STAT_DROPPED,
  STAT_EVENTS,
  STAT_HELD_ENTRY,
  STAT_INTERRUPTS,
  STAT_OVERFLOWS,
} from './layout.ts';

// The hardware's end of the event queue.
//
// Ordering. Entries are plain; these edges publish them.
//   [P] publish: entries, then PROD        pairs with  [C] EventPump: PROD, then entries
//   [R] EventPump: entries, then CONS      pairs with  [F] reserve: CONS, then entries overwritten
//   [I] publish: PROD, then CONS           pairs with  [E] EventPump: CONS, then PROD
//   [H] hold: HELD, then CONS              pairs with  [K] EventPump: CONS, then HELD
// [I] and [E] are store-then-load on both sides. The interrupt is an edge, on empty to non-empty alone: if the hardware finds CONS short of
// where it was, the pump has yet to store CONS and will read PROD after that. Otherwise it rings. So no record is left without a reader.
// [H] and [K] likewise: a stall held back for want of an entry is never forgotten.

export class EventWriter {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #heldAt: number;
  readonly #entries: number;
  readonly #log2: number;
  readonly #stats: number;
  readonly #irq: Doorbell;
  #prod: number; // index and wrap, claimed entries included
  #published: number; // index and wrap in PROD
  #overflow: number; // OVFLG as in PROD
  #consSeen: number; // CONS when last read: read again only when the queue looks full
  #held = false; // HELD, which no one else writes
  #enabled = false;

  constructor(words: Words, base: number, irq: Doorbell) {
    this.#words = words;
    this.#prodAt = base + SMMU_EVTQ_PROD;
    this.#consAt = base + SMMU_EVTQ_CONS;
    this.#heldAt = base + SMMU_EVTQ_HELD;
    this.#entries = base + words[base + SMMU_EVTQ];
    this.#log2 = words[base + SMMU_EVTQ_LOG2];
    this.#stats = base + SMMU_STATS;
    this.#irq = irq;
    const prod = Atomics.load(words, this.#prodAt);
    this.#prod = this.#published = queueIndex(prod, this.#log2);
    this.#overflow = prod & QUEUE_OVERFLOW;
    this.#consSeen = Atomics.load(words, this.#consAt);
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** EVTQEN. Off: nothing is delivered, committed records are published first. */
  enable(on: boolean): void {
    if (!on) this.publish();
    this.#enabled = on;
  }

  /** @returns how many of `count` entries may be claimed: 0 when the queue is full or off. */
  reserve(count: number): number {
    if (!this.#enabled) return 0;
    let space = queueSpace(this.#prod, this.#consSeen, this.#log2);
    if (space < count) {
      this.#consSeen = Atomics.load(this.#words, this.#consAt); // [F]
      space = queueSpace(this.#prod, this.#consSeen, this.#log2);
    }
    const run = Math.min(space, count);
    this.#words[this.#stats + STAT_EVENTS] += run;
    return run;
  }

  /** @returns word offset of the next entry, one of those reserved, to be filled at once. */
  claim(): number {
    const at = this.#entries + queueSlot(this.#prod, this.#log2) * EVENT_WORDS;
    this.#prod = queueAdvance(this.#prod, 1, this.#log2);
    return at;
  }

  /** One store for all claimed entries, and an interrupt if the queue was empty until now. */
  publish(): void {
    if (this.#prod === this.#published) return;
    const before = this.#published;
    this.#published = this.#prod;
    Atomics.store(this.#words, this.#prodAt, this.#prod | this.#overflow); // [P] [I]
    this.#consSeen = Atomics.load(this.#words, this.#consAt); // [I] [F]
    if (queueEmpty(before, this.#consSeen, this.#log2)) {
      this.#words[this.#stats + STAT_INTERRUPTS]++;
      this.#irq.ring();
    }
  }

  /** A record that is not a stall's found no entry: it is gone. Toggles OVFLG if the last overflow is acknowledged; off, not even that. */
  drop(): void {
    this.#words[this.#stats + STAT_DROPPED]++;
    if (!this.#enabled) return;
    this.publish(); // an overflow must not be seen before the full queue is
    if (queueOverflowed(this.#overflow, Atomics.load(this.#words, this.#consAt))) return;
    this.#overflow ^= QUEUE_OVERFLOW;
    this.#words[this.#stats + STAT_OVERFLOWS]++;
    Atomics.store(this.#words, this.#prodAt, this.#published | this.#overflow);
  }

  /** A stall found no entry: asks the pump to ring when it has released some.
   * @returns whether the queue is still full: it may have been drained just now. */
  hold(): boolean {
    this.publish();
    if (!this.#held) {
      this.#held = true;
      this.#words[this.#stats + STAT_HELD_ENTRY]++;
      Atomics.store(this.#words, this.#heldAt, 1); // [H]
    }
    if (this.#stillFull()) return true;
    this.unhold();
    return !this.#enabled;
  }

  /** Nothing waits for an entry any more. */
  unhold(): void {
    if (!this.#held) return;
    this.#held = false;
    Atomics.store(this.#words, this.#heldAt, 0);
  }

  /** Whether an entry can be claimed, looking afresh. */
  hasSpace(): boolean {
    return this.#enabled && !this.#stillFull();
  }

  #stillFull(): boolean {
    this.#consSeen = Atomics.load(this.#words, this.#consAt); // [F] [H]
    return queueFull(this.#prod, this.#consSeen, this.#log2);
  }
}
