// A ring that many threads fill and one empties: mailboxes. Slots are read in the order in which they were claimed, so a
// producer that stops between claim and publish holds up what was claimed after it: keep those two close together.
//
// Ordering. Atomics are seq-cst; these edges are all this ring needs of them. Payload words are plain.
//   [P] publish: payload, then the commit word  pairs with  [C] peek:  commit word, then payload
//   [R] release: payload, then CONS             pairs with  [F] claim: CONS, then payload overwritten
//   [W] publish: commit word, then PARKED       pairs with  [S] park:  PARKED, then commit word (inside Atomics.wait)
// Producers agree among themselves on PROD alone: whoever moves it by compare-exchange owns the slot it moved over.
// [W] and [S] are store-then-load on both sides, so one side always sees the other: a published slot is never slept on.
//
// The consumer sleeps on the commit word of the slot it needs next, and says which position that is: of all producers, only
// the one that fills that slot notifies, once.
import { checkInteger } from '../errors/index.ts';
import type { ThreadSelf, Words } from '../sync/thread-self.ts';
import { MAX_SLOT_WORDS, openCapacity } from './capacity.ts';
import { MPSC_CONS, MPSC_PARKED, MPSC_PROD, MPSC_SLOT_WORDS, MPSC_SLOTS, mpscStride } from './mpsc.layout.ts';

/** Fills the ring. Make one in every thread that produces. */
export class MpscProducer {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #slots: number;
  readonly #capacity: number;
  readonly #mask: number;
  readonly #stride: number;
  #prodSeen: number; // PROD when last seen: the exchange tells if it has moved since
  #consSeen: number; // CONS when last read: read again only when the ring looks full, or much has gone through since

  /** @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number) {
    this.#capacity = openCapacity('MpscProducer', words, base);
    this.#stride = openStride('MpscProducer', words, base);
    this.#words = words;
    this.#prodAt = base + MPSC_PROD;
    this.#consAt = base + MPSC_CONS;
    this.#parkedAt = base + MPSC_PARKED;
    this.#slots = base + MPSC_SLOTS + 1; // of the payload
    this.#mask = this.#capacity - 1;
    this.#prodSeen = Atomics.load(words, this.#prodAt);
    this.#consSeen = Atomics.load(words, this.#consAt);
  }

  /** Takes a slot to fill, which is owed one {@link publish}.
   * @returns the word offset of its payload, or 0 when the ring is full. Never blocks; retries only when another producer got a slot. */
  claim(): number {
    const words = this.#words;
    let prod = this.#prodSeen;
    for (;;) {
      // Unsigned: whatever is no number of slots in use was read too long ago, be it PROD or CONS. (A producer that was idle
      // while just under 2^32 slots went through, to within the capacity, would be fooled.)
      if ((prod - this.#consSeen) >>> 0 >= this.#capacity) {
        prod = Atomics.load(words, this.#prodAt);
        this.#consSeen = Atomics.load(words, this.#consAt); // [F]
        const used = (prod - this.#consSeen) | 0;
        if (used >= this.#capacity) return 0;
        if (used < 0) continue; // both have moved on between the two loads
      }
      const next = (prod + 1) | 0;
      const found = Atomics.compareExchange(words, this.#prodAt, prod, next);
      if (found === prod) {
        this.#prodSeen = next;
        return this.#slots + (prod & this.#mask) * this.#stride;
      }
      prod = found;
    }
  }

  /** Hands over the slot that {@link claim} gave; wakes the consumer if it sleeps on this very slot. */
  publish(slot: number): void {
    const words = this.#words;
    const commitAt = slot - 1;
    const commit = (words[commitAt] + this.#capacity) | 0; // plain: ours alone since the claim, and as the lap before left it
    Atomics.store(words, commitAt, commit); // [P]
    if (Atomics.load(words, this.#parkedAt) === ((commit - 1) | 0)) Atomics.notify(words, commitAt, 1); // [W]
  }
}

/** Empties the ring. Make one, in the thread that consumes: it is the only writer of CONS and PARKED. */
export class MpscConsumer {
  readonly #words: Words;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #slots: number;
  readonly #capacity: number;
  readonly #mask: number;
  readonly #stride: number;
  readonly #spins: number;
  #at: number; // the position to read next
  #released: number; // CONS, which no one else writes

  /** @param self whose `spins` bound the looking before a sleep; none: {@link park} sleeps at once.
   * @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number, self?: ThreadSelf) {
    this.#capacity = openCapacity('MpscConsumer', words, base);
    this.#stride = openStride('MpscConsumer', words, base);
    this.#words = words;
    this.#consAt = base + MPSC_CONS;
    this.#parkedAt = base + MPSC_PARKED;
    this.#slots = base + MPSC_SLOTS; // of the commit word
    this.#mask = this.#capacity - 1;
    this.#spins = self === undefined ? 0 : self.spins;
    this.#released = Atomics.load(words, this.#consAt);
    this.#at = this.#released;
  }

  /** @returns the word offset of the next slot's payload, or 0 when it is not published. Ours until {@link release}. */
  peek(): number {
    const commitAt = this.#commitAt();
    if (Atomics.load(this.#words, commitAt) !== ((this.#at + 1) | 0)) return 0; // [C]
    return commitAt + 1;
  }

  /** Steps over the slot that {@link peek} gave (call it only then). Producers do not get it back yet. */
  next(): void {
    this.#at = (this.#at + 1) | 0;
  }

  /** Gives back all slots stepped over, with one store. Their payload may change from now on. */
  release(): void {
    if (this.#at === this.#released) return;
    this.#released = this.#at;
    Atomics.store(this.#words, this.#consAt, this.#at); // [R]
  }

  /** Waits until the next slot is published, at most `timeoutMs`. May return early; peek again.
   * Releases first: producers that find the ring full would never wake us. */
  park(timeoutMs: number): void {
    this.release();
    const words = this.#words;
    const commitAt = this.#commitAt();
    const unpublished = (this.#at + 1 - this.#capacity) | 0;
    for (let spins = this.#spins; spins > 0; spins--) if (Atomics.load(words, commitAt) !== unpublished) return;
    Atomics.store(words, this.#parkedAt, this.#at);
    Atomics.wait(words, commitAt, unpublished, timeoutMs); // [S]
  }

  #commitAt(): number {
    return this.#slots + (this.#at & this.#mask) * this.#stride;
  }
}

function openStride(call: string, words: Words, base: number): number {
  return mpscStride(checkInteger(call, 'slotWords', words[base + MPSC_SLOT_WORDS], 1, MAX_SLOT_WORDS));
}
