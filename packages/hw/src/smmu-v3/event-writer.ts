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
import type { GlobalErrors } from './global-errors.ts';
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
import { GERROR_EVTQ_ABT } from './registers.ts';

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
  readonly #errors: GlobalErrors;
  #prod: number; // index and wrap, claimed entries included
  #published: number; // index and wrap in PROD
  #overflow: number; // OVFLG as in PROD
  #consSeen: number; // CONS when last read: read again only when the queue looks full
  #held = false; // HELD, which no one else writes
  #enabled = false;
  #abort = false; // fault injection: the next write aborts
  #aborted = false; // EVENTQ_ABT_ERR was active when last looked at

  constructor(words: Words, base: number, irq: Doorbell, errors: GlobalErrors) {
    this.#words = words;
    this.#prodAt = base + SMMU_EVTQ_PROD;
    this.#consAt = base + SMMU_EVTQ_CONS;
    this.#heldAt = base + SMMU_EVTQ_HELD;
    this.#entries = base + words[base + SMMU_EVTQ];
    this.#log2 = words[base + SMMU_EVTQ_LOG2];
    this.#stats = base + SMMU_STATS;
    this.#irq = irq;
    this.#errors = errors;
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

  /** The next records are lost on their way: the write aborts, synchronously, so PROD never covers them. */
  injectAbort(): void {
    this.#abort = true;
  }

  /** @returns how many of `count` entries may be claimed: 0 when the queue is full, off, or aborted and that is not acknowledged. */
  reserve(count: number): number {
    if (!this.#enabled || this.#isAborted()) return 0;
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

  /** For one record that is not a stall's. @returns word offset of its entry, or 0: it was dropped. */
  claimOrDrop(): number {
    if (this.reserve(1) === 1) return this.claim();
    this.drop();
    return 0;
  }

  /** One store for all claimed entries, and an interrupt if the queue was empty until now. */
  publish(): void {
    if (this.#prod === this.#published) return;
    if (this.#abort) {
      this.#loseClaimed();
      return;
    }
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
    if (!this.#enabled || this.#isAborted()) return;
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
    if (this.#isAborted() || this.#stillFull()) return true;
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
    return this.#enabled && !this.#isAborted() && !this.#stillFull();
  }

  #isAborted(): boolean {
    if (this.#aborted) this.#aborted = this.#errors.isActive(GERROR_EVTQ_ABT);
    return this.#aborted;
  }

  #loseClaimed(): void {
    const lost = (this.#prod - this.#published) & ((2 << this.#log2) - 1);
    this.#words[this.#stats + STAT_EVENTS] -= lost; // nobody will pass them
    this.#words[this.#stats + STAT_DROPPED] += lost;
    this.#prod = this.#published;
    this.#abort = false;
    this.#aborted = true;
    this.#errors.raise(GERROR_EVTQ_ABT);
  }

  #stillFull(): boolean {
    this.#consSeen = Atomics.load(this.#words, this.#consAt); // [F] [H]
    return queueFull(this.#prod, this.#consSeen, this.#log2);
  }
}
