// A ring that many threads fill and many empty, after Dmitry Vyukov's bounded queue: each slot says whose turn it is.
// A thread that stops between taking a position and changing the slot's turn holds up that slot alone, but whoever comes round
// to it then sees a full or an empty ring. Where that is not acceptable, take the work ring (spmc.ts).
//
// Ordering. Atomics are seq-cst; these edges are all this ring needs of them. Values are plain.
//   [P] push: value, then turn p + 1         pairs with  [C] pop:  turn p + 1, then value
//   [R] pop:  value, then turn p + CAPACITY  pairs with  [F] push: turn p, then value overwritten
// Producers agree among themselves on PROD alone, consumers on CONS alone: whoever moves it by compare-exchange owns the position.
import type { Words } from '../sync/thread-self.ts';
import { openCapacity, refused } from './capacity.ts';
import { MPMC_CONS, MPMC_PROD, MPMC_SLOTS } from './mpmc.layout.ts';

/** Adds values. Make one in every thread that produces. */
export class MpmcProducer {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #slots: number;
  readonly #mask: number;

  /** @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number) {
    this.#mask = openCapacity('MpmcProducer', words, base) - 1;
    this.#words = words;
    this.#prodAt = base + MPMC_PROD;
    this.#slots = base + MPMC_SLOTS;
  }

  /** Adds a value, which consumers see at once. Never blocks; retries only when another producer got a position.
   * @returns false when the ring is full. @throws IommuError EINVAL unless `value` is an i32 above 0: 0 is nothing. */
  push(value: number): boolean {
    if (value <= 0 || (value | 0) !== value)
      throw refused('MpmcProducer.push', 'value', value, 'must be an i32 above 0');
    const words = this.#words;
    const prodAt = this.#prodAt;
    let prod = Atomics.load(words, prodAt);
    for (;;) {
      const slot = this.#slots + 2 * (prod & this.#mask);
      const late = (Atomics.load(words, slot) - prod) | 0; // [F]
      if (late < 0) return false; // still the lap before: its value has not been taken
      if (late === 0) {
        const found = Atomics.compareExchange(words, prodAt, prod, (prod + 1) | 0);
        if (found === prod) {
          words[slot + 1] = value;
          Atomics.store(words, slot, (prod + 1) | 0); // [P]
          return true;
        }
        prod = found;
      } else prod = Atomics.load(words, prodAt); // another producer was faster
    }
  }
}

/** Takes values. Make one in every thread that consumes. */
export class MpmcConsumer {
  readonly #words: Words;
  readonly #consAt: number;
  readonly #slots: number;
  readonly #mask: number;

  /** @throws IommuError EINVAL where no ring was initialised. */
  constructor(words: Words, base: number) {
    this.#mask = openCapacity('MpmcConsumer', words, base) - 1;
    this.#words = words;
    this.#consAt = base + MPMC_CONS;
    this.#slots = base + MPMC_SLOTS;
  }

  /** Takes the oldest value. Never blocks; retries only when another consumer got a position.
   * @returns the value, or 0 when the ring is empty or its oldest value is still being written. */
  pop(): number {
    const words = this.#words;
    const consAt = this.#consAt;
    let cons = Atomics.load(words, consAt);
    for (;;) {
      const slot = this.#slots + 2 * (cons & this.#mask);
      const late = (Atomics.load(words, slot) - cons - 1) | 0; // [C]
      if (late < 0) return 0;
      if (late === 0) {
        const found = Atomics.compareExchange(words, consAt, cons, (cons + 1) | 0);
        if (found === cons) {
          const value = words[slot + 1];
          Atomics.store(words, slot, (cons + this.#mask + 1) | 0); // [R]
          return value;
        }
        cons = found;
      } else cons = Atomics.load(words, consAt); // another consumer was faster
    }
  }

  /** Looks at the value `ahead` positions behind the oldest. For who keeps all other consumers out meanwhile.
   * @returns 0 where there is none, or it is still being written. */
  peek(ahead: number): number {
    const slot = this.#slotOf(ahead);
    return slot === 0 ? 0 : this.#words[slot + 1];
  }

  /** Puts another value in the place of one that {@link peek} showed. Same context. */
  replace(ahead: number, value: number): void {
    const slot = this.#slotOf(ahead);
    if (slot === 0 || value <= 0 || (value | 0) !== value)
      throw refused('MpmcConsumer.replace', 'value', value, 'must be an i32 above 0, for a value that is there');
    this.#words[slot + 1] = value;
  }

  /** @returns 0 where no value is. */
  #slotOf(ahead: number): number {
    const words = this.#words;
    const position = (Atomics.load(words, this.#consAt) + ahead) | 0;
    const slot = this.#slots + 2 * (position & this.#mask);
    return ahead <= this.#mask && ((Atomics.load(words, slot) - position - 1) | 0) === 0 ? slot : 0; // [C]
  }
}
