// A ring between two threads: one fills it, one empties it. Either may hand over many slots with a single store.
//
// Ordering. Atomics are seq-cst; these edges are all this ring needs of them. Slot words are plain.
//   [P] publish: slot words, then PROD     pairs with  [C] peek:  PROD, then slot words
//   [R] release: slot words, then CONS     pairs with  [F] claim: CONS, then slot words overwritten
//   [W] publish: PROD, then PARKED         pairs with  [S] park:  PARKED, then PROD (compared inside Atomics.wait)
// Without [P] the consumer could read a slot half filled; without [R] the producer could overwrite one half read.
// [W] and [S] are store-then-load on both sides, so one side always sees the other: a published slot is never slept on.
//
// PARKED holds the PROD that is slept on, not a flag: only the publish that leaves that value behind notifies. A consumer
// that is slow to get up is notified once, not once for every publish meanwhile, and nothing needs resetting when it is up.
import { checkInteger } from '../errors/index.ts';
import type { ThreadSelf, Words } from '../sync/thread-self.ts';
import { MAX_SLOT_WORDS, openCapacity } from './capacity.ts';
import { SPSC_CONS, SPSC_PARKED, SPSC_PROD, SPSC_SLOT_WORDS, SPSC_SLOTS } from './spsc.layout.ts';

/** Fills the ring. Make one, in the thread that produces: it is the only writer of PROD. */
export class SpscProducer {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #slots: number;
  readonly #slotWords: number;
  readonly #capacity: number;
  readonly #mask: number;
  #published: number; // PROD, which no one else writes
  #claimed: number; // PROD once what is claimed gets published
  #limit: number; // CONS when last read, plus the capacity: read again only when the ring looks full

  /** @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number) {
    this.#capacity = openCapacity('SpscProducer', words, base);
    this.#slotWords = checkInteger('SpscProducer', 'slotWords', words[base + SPSC_SLOT_WORDS], 1, MAX_SLOT_WORDS);
    this.#mask = this.#capacity - 1;
    this.#words = words;
    this.#prodAt = base + SPSC_PROD;
    this.#consAt = base + SPSC_CONS;
    this.#parkedAt = base + SPSC_PARKED;
    this.#slots = base + SPSC_SLOTS;
    this.#published = Atomics.load(words, this.#prodAt);
    this.#claimed = this.#published;
    this.#limit = (Atomics.load(words, this.#consAt) + this.#capacity) | 0;
  }

  /** Slots claimed and not yet published. */
  get pending(): number {
    return (this.#claimed - this.#published) | 0;
  }

  /** Takes the next slot to fill; several may be claimed before they are published together.
   * @returns its word offset, or 0 when the ring is full. Never blocks. */
  claim(): number {
    const at = this.#claimed;
    if (at === this.#limit) {
      this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity) | 0; // [F]
      if (at === this.#limit) return 0;
    }
    this.#claimed = (at + 1) | 0;
    return this.#slots + (at & this.#mask) * this.#slotWords;
  }

  /** Claims up to `max` more slots that lie straight behind the one {@link claim} just gave, as far as there is room before the
   * ring's end. For loops that fill many: one call for all, and the loop steps by `slotWords`. @returns how many; never blocks. */
  claimMore(max: number): number {
    if (max <= 0) return 0;
    const at = this.#claimed;
    let room = (this.#limit - at) | 0;
    if (room < max) {
      this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity) | 0; // [F]
      room = (this.#limit - at) | 0;
    }
    const straight = -at & this.#mask; // slots before the end; none when the next one is the first
    const count = Math.min(room, straight, max);
    this.#claimed = (at + count) | 0;
    return count;
  }

  /** Hands over all that was claimed, with one store; wakes the consumer if it sleeps. Nothing claimed: does nothing. */
  publish(): void {
    const before = this.#published;
    if (this.#claimed === before) return;
    this.#published = this.#claimed;
    Atomics.store(this.#words, this.#prodAt, this.#published); // [P]
    if (Atomics.load(this.#words, this.#parkedAt) === before) Atomics.notify(this.#words, this.#prodAt, 1); // [W]
  }
}

/** Empties the ring. Make one, in the thread that consumes: it is the only writer of CONS and PARKED. */
export class SpscConsumer {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #slots: number;
  readonly #slotWords: number;
  readonly #mask: number;
  readonly #spins: number;
  #at: number; // the slot to read next
  #released: number; // CONS, which no one else writes
  #prodSeen: number; // PROD when last read: read again only when the ring looks empty

  /** @param self whose `spins` bound the looking before a sleep; none: {@link park} sleeps at once.
   * @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number, self?: ThreadSelf) {
    this.#mask = openCapacity('SpscConsumer', words, base) - 1;
    this.#slotWords = checkInteger('SpscConsumer', 'slotWords', words[base + SPSC_SLOT_WORDS], 1, MAX_SLOT_WORDS);
    this.#words = words;
    this.#prodAt = base + SPSC_PROD;
    this.#consAt = base + SPSC_CONS;
    this.#parkedAt = base + SPSC_PARKED;
    this.#slots = base + SPSC_SLOTS;
    this.#spins = self === undefined ? 0 : self.spins;
    this.#released = Atomics.load(words, this.#consAt);
    this.#at = this.#released;
    this.#prodSeen = this.#released;
  }

  /** @returns the word offset of the next slot, or 0 when nothing is published. The slot stays ours until {@link release}. */
  peek(): number {
    const at = this.#at;
    if (at === this.#prodSeen) {
      this.#prodSeen = Atomics.load(this.#words, this.#prodAt); // [C]
      if (at === this.#prodSeen) return 0;
    }
    return this.#slots + (at & this.#mask) * this.#slotWords;
  }

  /** Steps over the slot that {@link peek} gave (call it only then). The producer does not get it back yet. */
  next(): void {
    this.#at = (this.#at + 1) | 0;
  }

  /** Steps over up to `max` slots, from the one that {@link peek} gave (call it only then), that are published and lie straight
   * behind one another. For loops that empty many, as {@link SpscProducer.claimMore}. @returns how many: 1 or more, if `max` is. */
  nextRun(max: number): number {
    if (max <= 0) return 0;
    const at = this.#at;
    const ready = (this.#prodSeen - at) | 0;
    const straight = this.#mask + 1 - (at & this.#mask);
    const count = Math.min(ready, straight, max);
    this.#at = (at + count) | 0;
    return count;
  }

  /** Gives back all slots stepped over, with one store. Their words may change from now on. */
  release(): void {
    if (this.#at === this.#released) return;
    this.#released = this.#at;
    Atomics.store(this.#words, this.#consAt, this.#at); // [R]
  }

  /** Waits until something is published, at most `timeoutMs`. May return early; peek again.
   * Releases first: a producer that finds the ring full would never wake us. */
  park(timeoutMs: number): void {
    this.release();
    const words = this.#words;
    for (let spins = this.#spins; spins > 0; spins--) if (Atomics.load(words, this.#prodAt) !== this.#at) return;
    Atomics.store(words, this.#parkedAt, this.#at);
    Atomics.wait(words, this.#prodAt, this.#at, timeoutMs); // [S]
  }
}
