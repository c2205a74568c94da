// The work ring: one thread hands out values, many take them. A value is read before it is claimed, so a consumer that is
// descheduled at any point holds nobody up: it either owns what it took, or its claim fails and it reads again.
//
// Ordering. Atomics are seq-cst; these edges are all this ring needs of them.
//   [P] publish: slots, then PROD      pairs with  [C] take: PROD, then slots
//   [T] take: slots, then CONS by CAS  pairs with  [F] push: CONS, then slots overwritten
//   [W] publish: PROD, then PARKED     pairs with  [S] park: PARKED, then PROD (compared inside Atomics.wait)
// A slot is overwritten only after CONS has passed it, and then the compare-exchange of whoever read it too early or too late
// fails: a stale read is never handed out. (CONS would have to go round all 2^32 values under one take to fool it.)
// Slots are read while they may be overwritten, so they are Atomics too, unlike those of the SPSC ring.
import type { ThreadSelf, Words } from '../sync/thread-self.ts';
import { openCapacity, refused } from './capacity.ts';
import { SPMC_CONS, SPMC_PARKED, SPMC_PROD, SPMC_SLOTS } from './spmc.layout.ts';

/** Hands out values. Make one, in the thread that produces: it is the only writer of PROD and of the slots. */
export class SpmcProducer {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #slots: number;
  readonly #capacity: number;
  readonly #mask: number;
  #published: number; // PROD, which no one else writes
  #pushed: number; // PROD once what was pushed gets published
  #limit: number; // CONS when last read, plus the capacity: read again only when the ring looks full

  /** @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number) {
    this.#capacity = openCapacity('SpmcProducer', words, base);
    this.#mask = this.#capacity - 1;
    this.#words = words;
    this.#prodAt = base + SPMC_PROD;
    this.#consAt = base + SPMC_CONS;
    this.#parkedAt = base + SPMC_PARKED;
    this.#slots = base + SPMC_SLOTS;
    this.#published = Atomics.load(words, this.#prodAt);
    this.#pushed = this.#published;
    this.#limit = (Atomics.load(words, this.#consAt) + this.#capacity) | 0;
  }

  /** Values pushed and not yet published. */
  get pending(): number {
    return (this.#pushed - this.#published) | 0;
  }

  /** Adds a value, which consumers see after {@link publish}. Never blocks.
   * @returns false when the ring is full. @throws IommuError EINVAL unless `value` is an i32 above 0: 0 is nothing. */
  push(value: number): boolean {
    if (value <= 0 || (value | 0) !== value)
      throw refused('SpmcProducer.push', 'value', value, 'must be an i32 above 0');
    const at = this.#pushed;
    if (at === this.#limit) {
      this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity) | 0; // [F]
      if (at === this.#limit) return false;
    }
    Atomics.store(this.#words, this.#slots + (at & this.#mask), value);
    this.#pushed = (at + 1) | 0;
    return true;
  }

  /** Shows consumers all that was pushed, with one store; wakes as many sleepers as there are new values, if any sleep. */
  publish(): void {
    const fresh = (this.#pushed - this.#published) | 0;
    if (fresh === 0) return;
    const words = this.#words;
    this.#published = this.#pushed;
    Atomics.store(words, this.#prodAt, this.#published); // [P]
    const parked = Atomics.load(words, this.#parkedAt); // [W]
    if (parked > 0) Atomics.notify(words, this.#prodAt, Math.min(parked, fresh));
  }
}

/** Takes values. Make one in every thread that consumes. */
export class SpmcConsumer {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #slots: number;
  readonly #mask: number;
  readonly #spins: number;

  /** @param self whose `spins` bound the looking before a sleep; none: {@link park} sleeps at once.
   * @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number, self?: ThreadSelf) {
    this.#mask = openCapacity('SpmcConsumer', words, base) - 1;
    this.#words = words;
    this.#prodAt = base + SPMC_PROD;
    this.#consAt = base + SPMC_CONS;
    this.#parkedAt = base + SPMC_PARKED;
    this.#slots = base + SPMC_SLOTS;
    this.#spins = self === undefined ? 0 : self.spins;
  }

  /** Takes up to `max` values, oldest first, into `into[0..]`. What lies in `into` beyond the returned count means nothing.
   * @returns how many; 0 when the ring is empty. Never blocks; retries only when another consumer has taken some.
   * @throws IommuError EINVAL unless `max` is whole and 1 <= max <= into.length. */
  take(into: Int32Array, max: number): number {
    if (max < 1 || max > into.length || (max | 0) !== max)
      throw refused('SpmcConsumer.take', 'max', max, `must be a whole number from 1 to ${into.length}`);
    const words = this.#words;
    const consAt = this.#consAt;
    let cons = Atomics.load(words, consAt);
    for (;;) {
      const ready = (Atomics.load(words, this.#prodAt) - cons) | 0; // [C] after CONS, so never negative
      if (ready === 0) return 0;
      const count = Math.min(ready, max);
      for (let i = 0; i < count; i++) into[i] = Atomics.load(words, this.#slots + ((cons + i) & this.#mask));
      const found = Atomics.compareExchange(words, consAt, cons, (cons + count) | 0); // [T]
      if (found === cons) return count;
      cons = found;
    }
  }

  /** How many values are published and not taken. Others move both ends meanwhile, so it is a figure, not a promise. */
  size(): number {
    const cons = Atomics.load(this.#words, this.#consAt);
    const ready = (Atomics.load(this.#words, this.#prodAt) - cons) | 0;
    return ready <= this.#mask ? ready : this.#mask + 1; // CONS may have moved on between the two loads
  }

  /** Values published since the ring was made, wrapping: what a flush waits for {@link taken} to pass. */
  published(): number {
    return Atomics.load(this.#words, this.#prodAt);
  }

  /** Values taken since the ring was made, wrapping. */
  taken(): number {
    return Atomics.load(this.#words, this.#consAt);
  }

  /** Waits while the ring is empty, at most `timeoutMs`. May return early; take again. */
  park(timeoutMs: number): void {
    const words = this.#words;
    for (let spins = this.#spins; spins > 0; spins--) if (this.size() !== 0) return;
    Atomics.add(words, this.#parkedAt, 1);
    const prod = Atomics.load(words, this.#prodAt);
    if (Atomics.load(words, this.#consAt) === prod) Atomics.wait(words, this.#prodAt, prod, timeoutMs); // [S]
    Atomics.sub(words, this.#parkedAt, 1);
  }
}
