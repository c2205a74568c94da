import type { Doorbell, Words } from '@faultline/core/sync';
import {
  QUEUE_OVERFLOW,
  queueAdvance,
  queueEmpty,
  queueFull,
  queueIndex,
  queueOverflowed,
  queueSlot,
} from '../queue/index.ts';
import {
  NO_PRIQ,
  SMMU_PRIQ,
  SMMU_PRIQ_CONS,
  SMMU_PRIQ_IRQ_CFG2,
  SMMU_PRIQ_LOG2,
  SMMU_PRIQ_PROD,
  SMMU_STATS,
  STAT_PAGE_REQUESTS,
  STAT_PRI_INTERRUPTS,
  STAT_PRI_OVERFLOWS,
} from './layout.ts';
import { PRIQ_RECORD_WORDS } from './priq-records.ts';
import { PRIQ_IRQ_LO } from './registers.ts';

// The hardware's end of the PRI queue. Unlike the event queue, it records nothing more from an overflow on until that is acknowledged.
//
// Ordering. Entries are plain; these edges publish them.
//   [P] publish: entries, then PRIQ_PROD        pairs with  [C] PriqPump: PRIQ_PROD, then entries
//   [R] PriqPump: entries, then PRIQ_CONS       pairs with  [F] claim: PRIQ_CONS, then entries overwritten
//   [I] publish: PRIQ_PROD, then PRIQ_CONS      pairs with  [E] PriqPump: PRIQ_CONS, then PRIQ_PROD
// [I] and [E] are store-then-load on both sides, as in event-writer.ts: no record is left without a reader. With LO that promise is
// smaller: records of a group whose Last was lost have no interrupt of their own but the overflow's.
//   [O] overflow: OVFLG, then PRIQ_CONS         pairs with  [E] as well
// An overflow that the pump did not see when it found the queue empty would never be acknowledged, as nothing more is recorded: so the
// hardware rings if the queue was drained while it decided.

export const NO_ENTRY = 0;

export class PriqWriter {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #irqConfigAt: number;
  readonly #entries: number;
  readonly #log2: number;
  readonly #stats: number;
  readonly #irq: Doorbell;
  #prod: number; // index and wrap, claimed entries included
  #published: number; // index and wrap in PRIQ_PROD
  #overflow: number; // OVFLG as in PRIQ_PROD
  #consSeen: number; // PRIQ_CONS when last read: read again when the queue looks full, or overflowed
  #lastSeen = false; // a Last request came since the last publication

  constructor(words: Words, base: number, irq: Doorbell) {
    this.#words = words;
    this.#prodAt = base + SMMU_PRIQ_PROD;
    this.#consAt = base + SMMU_PRIQ_CONS;
    this.#irqConfigAt = base + SMMU_PRIQ_IRQ_CFG2;
    this.#entries = base + words[base + SMMU_PRIQ];
    this.#log2 = Math.max(0, words[base + SMMU_PRIQ_LOG2]);
    this.#stats = base + SMMU_STATS;
    this.#irq = irq;
    this.exists = words[base + SMMU_PRIQ_LOG2] !== NO_PRIQ;
    const prod = Atomics.load(words, this.#prodAt);
    this.#prod = this.#published = queueIndex(prod, this.#log2);
    this.#overflow = prod & QUEUE_OVERFLOW;
    this.#consSeen = Atomics.load(words, this.#consAt);
  }

  readonly exists: boolean;

  /** @returns word offset of the next entry, to be filled at once, or NO_ENTRY in an overflow, which this may begin. */
  claim(last: boolean): number {
    const at = this.#tryClaim();
    if (last) this.#lastSeen = true; // recorded or lost to an overflow
    return at;
  }

  #tryClaim(): number {
    if (queueOverflowed(this.#overflow, this.#consSeen) || queueFull(this.#prod, this.#consSeen, this.#log2)) {
      this.#consSeen = Atomics.load(this.#words, this.#consAt); // [F]
      if (queueOverflowed(this.#overflow, this.#consSeen)) return NO_ENTRY;
      if (queueFull(this.#prod, this.#consSeen, this.#log2)) {
        this.#beginOverflow();
        return NO_ENTRY;
      }
    }
    const at = this.#entries + queueSlot(this.#prod, this.#log2) * PRIQ_RECORD_WORDS;
    this.#prod = queueAdvance(this.#prod, 1, this.#log2);
    return at;
  }

  /** Takes back what was claimed since the last {@link publish}: the write aborted. */
  retract(): void {
    this.#prod = this.#published;
    this.#lastSeen = false;
  }

  /** One store for all claimed entries, and an interrupt: if the queue was empty until now, or with LO if a Last request was among what
   * came. */
  publish(): void {
    if (this.#prod === this.#published && !this.#lastSeen) return;
    const before = this.#published;
    if (this.#prod !== before) {
      this.#words[this.#stats + STAT_PAGE_REQUESTS] += (this.#prod - before) & ((2 << this.#log2) - 1);
      this.#published = this.#prod;
      Atomics.store(this.#words, this.#prodAt, this.#prod | this.#overflow); // [P] [I]
    }
    const lastOnly = (Atomics.load(this.#words, this.#irqConfigAt) & PRIQ_IRQ_LO) !== 0;
    this.#consSeen = Atomics.load(this.#words, this.#consAt); // [I] [F]
    const wasEmpty = this.#prod !== before && queueEmpty(before, this.#consSeen, this.#log2);
    if (lastOnly ? this.#lastSeen : wasEmpty) {
      this.#words[this.#stats + STAT_PRI_INTERRUPTS]++;
      this.#irq.ring();
    }
    this.#lastSeen = false;
  }

  /** The full queue is visible before the overflow is. */
  #beginOverflow(): void {
    this.publish();
    this.#overflow ^= QUEUE_OVERFLOW;
    this.#words[this.#stats + STAT_PRI_OVERFLOWS]++;
    Atomics.store(this.#words, this.#prodAt, this.#published | this.#overflow); // [O]
    this.#consSeen = Atomics.load(this.#words, this.#consAt); // [O]
    if (!queueFull(this.#prod, this.#consSeen, this.#log2)) this.#irq.ring();
  }
}
