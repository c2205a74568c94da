// Cookies: what user space echoes when it answers. A cookie is our number, never the device's group id.
//
//   cookie   generation (11 bits or more) | queue number (4) | slot (as many bits as the queue's groups need), from the top of 31
//   slot's   generation | OUT (1)
//
// A group's slot is its own, by its index: nothing is searched for, and nobody else gives that slot out while the group lives. Each
// delivery raises the slot's generation, so that an old cookie fits again only after a whole multiple of 2^11 or more deliveries
// under that same index.
//
// Who holds a cookie is settled by one compare-exchange of its slot, from out to not out under exactly its generation: of two answers,
// or an answer and a taking back, one wins, and alone may touch the group. A group is freed after that only.
//
// Ordering. [P] publish: the group's words, then its slot (under the queue's lock)    pairs with  [C] redeem: the slot, then the group
//
// Where a user can see the cookie before its group is delivered (in the record that a read has copied, while it copies the next), it
// is reserved first: an answer to it is refused until the read has put the group out of its hands. A reserved cookie that was
// never good is used up all the same: who has seen it does not answer the next one's group.
import type { Words } from '@faultline/core/sync';
import type { GroupKeys } from './group-keys.ts';
import { NUMBER_BITS, QUEUE_COOKIES, QUEUE_GROUPS, QUEUE_NUMBER } from './layout.ts';

const COOKIE_BITS = 31;
const OUT = 1;

/** The cookies of one fault queue. Any thread may open it. */
export class CookieTable implements GroupKeys {
  readonly slots: number;
  readonly #words: Words;
  readonly #held: number;
  readonly #slotMask: number;
  readonly #number: number;
  readonly #numberMask: number;
  readonly #shift: number;
  readonly #generationMask: number;

  constructor(words: Words, base: number) {
    const groups = words[base + QUEUE_GROUPS];
    const slotBits = 32 - Math.clz32(groups);
    this.slots = groups;
    this.#words = words;
    this.#held = base + words[base + QUEUE_COOKIES];
    this.#slotMask = (1 << slotBits) - 1;
    this.#number = words[base + QUEUE_NUMBER] << slotBits;
    this.#numberMask = ((1 << NUMBER_BITS) - 1) << slotBits;
    this.#shift = slotBits + NUMBER_BITS;
    this.#generationMask = (1 << (COOKIE_BITS - this.#shift)) - 1;
  }

  /** The slot is not out: no thread's compare-exchange can succeed on it, so plain words do. */
  reserve(group: number): number {
    const at = this.#held + group;
    const generation = ((this.#words[at] >> 1) + 1) & this.#generationMask;
    this.#words[at] = generation << 1;
    return (generation << this.#shift) | this.#number | group;
  }

  publish(cookie: number, group: number): void {
    Atomics.store(this.#words, this.#held + group, ((cookie >> this.#shift) << 1) | OUT); // [P]
  }

  /** Its generation has passed. */
  abort(_cookie: number): void {}

  redeem(cookie: number): number {
    if ((cookie | 0) !== cookie || cookie < 0 || (cookie & this.#numberMask) !== this.#number) return 0;
    const slot = cookie & this.#slotMask;
    if (slot > this.slots) return 0;
    return this.redeemSlot(slot, ((cookie >> this.#shift) << 1) | OUT) ? slot : 0;
  }

  heldAt(slot: number): number {
    const held = Atomics.load(this.#words, this.#held + slot); // [C]
    return (held & OUT) === 0 ? 0 : held;
  }

  groupOf(slot: number): number {
    return slot;
  }

  redeemSlot(slot: number, held: number): boolean {
    return Atomics.compareExchange(this.#words, this.#held + slot, held, held & ~OUT) === held; // [C]
  }
}
