import { PRG_INDICES } from './pri-port.layout.ts';

// The page request groups that an endpoint has outstanding, by PRG index. Private to its thread.
// An index has one group. A function that misbehaves gives it to a second one: they form a queue, and answers go to the oldest.

const INDEX = 0;
const PASID = 1; // or -1
const QUEUE = 2; // number of the queue, or NO_SLOTS
const PAGES = 3; // requests, each a credit
const FIRST = 4; // newest member's slot, or NO_SLOTS; members are linked through their slots
const STATE = 5;
const NEXT = 6; // younger group of the same index, or the next free one
const WHIMS = 7; // how this group misbehaves
const GROUP_WORDS = 8;

const OPEN = 1; // its last page is not sent
const SENT = 2;

export const NO_GROUP = 0;
export const NO_SLOTS = -1;
/** Groups that may share an index. */
const DEPTH = 2;

export class GroupTable {
  readonly #groups: Int32Array;
  readonly #head: Int32Array = new Int32Array(PRG_INDICES); // oldest group of each index
  readonly #indices: Int32Array; // free indices, a ring: one that was given back rests as long as possible
  readonly #first: number;
  readonly #count: number;
  #indexAt = 0;
  #freeIndices = 0;
  #free: number = NO_GROUP;
  #newest: number = NO_GROUP; // the group opened last, if it is still there
  #live = 0;

  /** For PRG indices from `first` on. */
  constructor(first: number, count: number) {
    this.#first = first;
    this.#count = count;
    this.#groups = new Int32Array((DEPTH * count + 1) * GROUP_WORDS);
    this.#indices = new Int32Array(count);
    this.clear();
  }

  /** Indices without a group. */
  get free(): number {
    return this.#freeIndices;
  }

  /** Groups outstanding. */
  get live(): number {
    return this.#live;
  }

  /** Forgets all groups. */
  clear(): void {
    this.#head.fill(NO_GROUP);
    for (let place = 0; place < this.#count; place++) this.#indices[place] = this.#first + place;
    this.#indexAt = 0;
    this.#freeIndices = this.#count;
    const last = this.#groups.length / GROUP_WORDS - 1;
    for (let group = 1; group <= last; group++)
      this.#groups[group * GROUP_WORDS + NEXT] = group === last ? NO_GROUP : group + 1;
    this.#free = 1;
    this.#newest = NO_GROUP;
    this.#live = 0;
  }

  /** Opens a group on a free index; call it only while there is one. */
  open(queue: number, pasid: number, pages: number, whims: number): number {
    const index = this.#indices[this.#indexAt];
    this.#indexAt = (this.#indexAt + 1) % this.#count;
    this.#freeIndices--;
    return this.#open(index, queue, pasid, pages, whims);
  }

  /** Opens a group on the index of the group that was opened last. @returns NO_GROUP when that one is gone, or has company. */
  openAgain(queue: number, pasid: number, pages: number, whims: number): number {
    if (this.#newest === NO_GROUP) return NO_GROUP;
    const index = this.index(this.#newest);
    const oldest = this.#head[index];
    if (this.#groups[oldest * GROUP_WORDS + NEXT] !== NO_GROUP) return NO_GROUP;
    return this.#open(index, queue, pasid, pages, whims);
  }

  /** @returns the oldest group of an index whose last page was sent, or NO_GROUP. */
  match(index: number): number {
    for (let group = this.#head[index]; group !== NO_GROUP; group = this.#groups[group * GROUP_WORDS + NEXT])
      if (this.#groups[group * GROUP_WORDS + STATE] === SENT) return group;
    return NO_GROUP;
  }

  /** Whether an index has a group, complete or not. */
  has(index: number): boolean {
    return this.#head[index] !== NO_GROUP;
  }

  /** Gives the group's index back, unless another group has it too. */
  close(group: number): void {
    const groups = this.#groups;
    const at = group * GROUP_WORDS;
    const index = groups[at + INDEX];
    if (this.#head[index] === group) this.#head[index] = groups[at + NEXT];
    else groups[this.#head[index] * GROUP_WORDS + NEXT] = groups[at + NEXT];
    if (this.#head[index] === NO_GROUP) {
      this.#indices[(this.#indexAt + this.#freeIndices) % this.#count] = index;
      this.#freeIndices++;
    }
    groups[at + STATE] = 0;
    groups[at + NEXT] = this.#free;
    this.#free = group;
    this.#live--;
    if (this.#newest === group) this.#newest = NO_GROUP;
  }

  /** Takes the members away from all groups: nobody waits for them. The groups stay outstanding. */
  orphan(): void {
    for (let at = GROUP_WORDS; at < this.#groups.length; at += GROUP_WORDS) this.#groups[at + FIRST] = NO_SLOTS;
  }

  index(group: number): number {
    return this.#groups[group * GROUP_WORDS + INDEX];
  }
  pasid(group: number): number {
    return this.#groups[group * GROUP_WORDS + PASID];
  }
  queue(group: number): number {
    return this.#groups[group * GROUP_WORDS + QUEUE];
  }
  pages(group: number): number {
    return this.#groups[group * GROUP_WORDS + PAGES];
  }
  whims(group: number): number {
    return this.#groups[group * GROUP_WORDS + WHIMS];
  }
  first(group: number): number {
    return this.#groups[group * GROUP_WORDS + FIRST];
  }
  setFirst(group: number, slot: number): void {
    this.#groups[group * GROUP_WORDS + FIRST] = slot;
  }
  /** The last page flag is out: an answer is due. */
  setSent(group: number): void {
    this.#groups[group * GROUP_WORDS + STATE] = SENT;
  }

  #open(index: number, queue: number, pasid: number, pages: number, whims: number): number {
    const groups = this.#groups;
    const group = this.#free;
    const at = group * GROUP_WORDS;
    this.#free = groups[at + NEXT];
    groups[at + INDEX] = index;
    groups[at + PASID] = pasid;
    groups[at + QUEUE] = queue;
    groups[at + PAGES] = pages;
    groups[at + FIRST] = NO_SLOTS;
    groups[at + STATE] = OPEN;
    groups[at + NEXT] = NO_GROUP;
    groups[at + WHIMS] = whims;
    const oldest = this.#head[index];
    if (oldest === NO_GROUP) this.#head[index] = group;
    else groups[oldest * GROUP_WORDS + NEXT] = group;
    this.#newest = group;
    this.#live++;
    return group;
  }
}
