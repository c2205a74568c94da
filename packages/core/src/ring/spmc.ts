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
  readonly #base: number;
  readonly #capacity: number;
  readonly #mask: number;
  #published: number; // PROD, which no one else writes
  #pushed: number; // PROD once what was pushed gets published
  #consSeen: number; // CONS when last read: read again only when the ring looks full

  /** @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number) {
    this.#capacity = openCapacity('SpmcProducer', words, base);
    this.#mask = this.#capacity - 1;
    this.#words = words;
    this.#base = base;
    this.#published = Atomics.load(words, base + SPMC_PROD);
    this.#pushed = this.#published;
    this.#consSeen = Atomics.load(words, base + SPMC_CONS);
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
    if (((at - this.#consSeen) | 0) === this.#capacity) {
      this.#consSeen = Atomics.load(this.#words, this.#base + SPMC_CONS); // [F]
      if (((at - this.#consSeen) | 0) === this.#capacity) return false;
    }
    Atomics.store(this.#words, this.#base + SPMC_SLOTS + (at & this.#mask), value);
    this.#pushed = (at + 1) | 0;
    return true;
  }

  /** Shows consumers all that was pushed, with one store; wakes as many sleepers as there are new values, if any sleep. */
  publish(): void {
    const fresh = (this.#pushed - this.#published) | 0;
    if (fresh === 0) return;
    const words = this.#words;
    this.#published = this.#pushed;
    Atomics.store(words, this.#base + SPMC_PROD, this.#published); // [P]
    const parked = Atomics.load(words, this.#base + SPMC_PARKED); // [W]
    if (parked > 0) Atomics.notify(words, this.#base + SPMC_PROD, Math.min(parked, fresh));
  }
}

/** Takes values. Make one in every thread that consumes. */
export class SpmcConsumer {
  readonly #words: Words;
  readonly #base: number;
  readonly #mask: number;
  readonly #spins: number;

  /** @param self whose `spins` bound the looking before a sleep; none: {@link park} sleeps at once.
   * @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number, self?: ThreadSelf) {
    this.#mask = openCapacity('SpmcConsumer', words, base) - 1;
    this.#words = words;
    this.#base = base;
    this.#spins = self === undefined ? 0 : self.spins;
  }

  /** Takes up to `max` values, oldest first, into `into[0..]`. What lies in `into` beyond the returned count means nothing.
   * @returns how many; 0 when the ring is empty. Never blocks; retries only when another consumer has taken some.
   * @throws IommuError EINVAL unless 1 <= max <= into.length. */
  take(into: Int32Array, max: number): number {
    if (max < 1 || max > into.length)
      throw refused('SpmcConsumer.take', 'max', max, `must be from 1 to ${into.length}`);
    const words = this.#words;
    const consAt = this.#base + SPMC_CONS;
    const slots = this.#base + SPMC_SLOTS;
    let cons = Atomics.load(words, consAt);
    for (;;) {
      const ready = (Atomics.load(words, this.#base + SPMC_PROD) - cons) | 0; // [C] after CONS, so never negative
      if (ready === 0) return 0;
      const count = Math.min(ready, max);
      for (let i = 0; i < count; i++) into[i] = Atomics.load(words, slots + ((cons + i) & this.#mask));
      const found = Atomics.compareExchange(words, consAt, cons, (cons + count) | 0); // [T]
      if (found === cons) return count;
      cons = found;
    }
  }

  /** How many values are published and not taken. Others move both ends meanwhile, so it is a figure, not a promise. */
  size(): number {
    const cons = Atomics.load(this.#words, this.#base + SPMC_CONS);
    const ready = (Atomics.load(this.#words, this.#base + SPMC_PROD) - cons) | 0;
    return ready <= this.#mask ? ready : this.#mask + 1; // CONS may have moved on between the two loads
  }

  /** Values published since the ring was made, wrapping: what a flush waits for {@link taken} to pass. */
  published(): number {
    return Atomics.load(this.#words, this.#base + SPMC_PROD);
  }

  /** Values taken since the ring was made, wrapping. */
  taken(): number {
    return Atomics.load(this.#words, this.#base + SPMC_CONS);
  }

  /** Waits while the ring is empty, at most `timeoutMs`. May return early; take again. */
  park(timeoutMs: number): void {
    const words = this.#words;
    const prodAt = this.#base + SPMC_PROD;
    const parkedAt = this.#base + SPMC_PARKED;
    for (let spins = this.#spins; spins > 0; spins--) if (this.size() !== 0) return;
    Atomics.add(words, parkedAt, 1);
    const prod = Atomics.load(words, prodAt);
    if (Atomics.load(words, this.#base + SPMC_CONS) === prod) Atomics.wait(words, prodAt, prod, timeoutMs); // [S]
    Atomics.sub(words, parkedAt, 1);
  }
}
