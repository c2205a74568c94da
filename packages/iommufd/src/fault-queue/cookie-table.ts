// Cookies: what user space echoes when it answers. A cookie is our number, never the device's group id.
//
//   cookie   generation (11 to 15 bits) | queue number (4) | slot (as many bits as the queue's groups need), from the top of 31
//   slot's   generation (15 bits) | group (16)
//
// Who holds a cookie is settled by one compare-exchange of its slot from exactly this to nothing: of two answers, or an answer
// and a taking back, one wins, and alone may touch the group. A group is freed after that only, so an entry never outlives it.
// An old cookie fits again only when its slot is in use and a whole multiple of 2^11 to 2^15 groups was delivered since.
//
// Ordering. [P] give, publish: the group's words, then its slot (under the queue's lock)    pairs with  [C] redeem: the slot, then the group
//
// Where a user can see the cookie before its group is delivered (in the record that a read has copied, while it copies the next), it
// is reserved first: it names no group, and an answer to it is refused, until the read has put the group out of its hands.
import type { Words } from '@faultline/core/sync';
import { Xarray } from '@faultline/core/xarray';
import type { GroupKeys } from './group-keys.ts';
import { NUMBER_BITS, QUEUE_COOKIES, QUEUE_GROUPS, QUEUE_NUMBER, QUEUE_SEQUENCE } from './layout.ts';

const COOKIE_BITS = 31;
const GROUP_BITS = 16;
const GROUP_MASK = (1 << GROUP_BITS) - 1;
/** What the slot of a reserved cookie holds: no group. */
const RESERVED = 1 << GROUP_BITS;

/** The cookies of one fault queue. Any thread may open it. */
export class CookieTable implements GroupKeys {
  readonly slots: number;
  readonly #words: Words;
  readonly #held: Xarray;
  readonly #sequence: number;
  readonly #slotMask: number;
  readonly #number: number;
  readonly #numberMask: number;
  readonly #shift: number;
  readonly #generationMask: number;

  constructor(words: Words, base: number) {
    const groups = words[base + QUEUE_GROUPS];
    const slotBits = 32 - Math.clz32(groups);
    const generationBits = Math.min(COOKIE_BITS - NUMBER_BITS - slotBits, COOKIE_BITS - GROUP_BITS);
    this.slots = groups;
    this.#words = words;
    this.#held = new Xarray(words, base + words[base + QUEUE_COOKIES]);
    this.#sequence = base + QUEUE_SEQUENCE;
    this.#slotMask = (1 << slotBits) - 1;
    this.#number = words[base + QUEUE_NUMBER] << slotBits;
    this.#numberMask = ((1 << NUMBER_BITS) - 1) << slotBits;
    this.#shift = slotBits + NUMBER_BITS;
    this.#generationMask = (1 << generationBits) - 1;
  }

  /** Gives a group its cookie. @returns 0 while other threads' changes hide the free slot: there is one a group; try again. */
  give(group: number): number {
    const generation = this.#nextGeneration();
    return this.#cookie(generation, this.#held.alloc((generation << GROUP_BITS) | group, 1, this.slots)); // [P]
  }

  reserve(): number {
    const generation = this.#nextGeneration();
    return this.#cookie(generation, this.#held.alloc(RESERVED, 1, this.slots));
  }

  publish(cookie: number, group: number): void {
    const held = ((cookie >> this.#shift) << GROUP_BITS) | group;
    this.#held.store(cookie & this.#slotMask, held); // [P]
  }

  abort(cookie: number): void {
    this.#held.erase(cookie & this.#slotMask);
  }

  #nextGeneration(): number {
    return Atomics.add(this.#words, this.#sequence, 1) & this.#generationMask;
  }

  #cookie(generation: number, slot: number): number {
    return slot < 0 ? 0 : (generation << this.#shift) | this.#number | slot;
  }

  redeem(cookie: number): number {
    if ((cookie | 0) !== cookie || (cookie & this.#numberMask) !== this.#number) return 0;
    const slot = cookie & this.#slotMask;
    const held = this.#held.load(slot); // [C]
    const group = held & GROUP_MASK; // 0 of a reserved one
    if (group === 0 || held >> GROUP_BITS !== cookie >> this.#shift) return 0;
    return this.redeemSlot(slot, held) ? group : 0;
  }

  heldAt(slot: number): number {
    return this.#held.load(slot); // [C]
  }

  groupOf(held: number): number {
    return held & GROUP_MASK;
  }

  redeemSlot(slot: number, held: number): boolean {
    return this.#held.compareExchange(slot, held, 0) === held;
  }
}
