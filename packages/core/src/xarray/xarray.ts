// Index to value, for cookies, PASIDs and virtual ids: 20 bits in two levels of 1024. All calls from all threads, no lock.
//
// Ordering. A slot is the truth about its index; what its value stands for may be plain.
//   [P] store: what the value names, then its slot    pairs with  [C] load: the slot, then what the value names
// ROOT is written once, and a node is all zero until it is installed: a plain read that finds a node [L] needs no more, and
// one that finds none looks again. In V8 an atomic load costs as much as an atomic store.
// USED only says where looking for a free slot is in vain. A bit set over an empty slot would lose that index for good, so:
//   [U] use: USED bit, then the slot again            pairs with  [E] erase: the slot, then the USED bit
// Whoever sets a bit looks at the slot afterwards, and clears the bit if an erase came between. A bit that is clear over a
// slot in use costs one failed compare-exchange, which sets it. So bits are read plainly.
import { checkInteger, IommuError } from '../errors/index.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import type { Words } from '../sync/thread-self.ts';
import { giveNode, takeNode } from './node-pool.ts';
import {
  MAX_INDEX,
  MAX_NODES,
  NODE_WORDS,
  NODES,
  nodesOffset,
  ROOT,
  SLOT_BITS,
  SLOT_MASK,
  SLOTS,
  USED,
} from './xarray.layout.ts';

const MAX_VALUE = 2 ** 31 - 1;

/** Words of an xarray with indices in up to `maxNodes` different blocks of 1024. @throws IommuError EINVAL */
export function xarrayWords(maxNodes: number): number {
  checkInteger('xarrayWords', 'maxNodes', maxNodes, 1, MAX_NODES);
  return alignLine(nodesOffset(maxNodes) + maxNodes * NODE_WORDS);
}

/** Lays an empty xarray out over zeroed words. @throws IommuError EINVAL */
export function initXarray(words: Words, base: number, maxNodes: number): void {
  checkRegion('initXarray', words, base, xarrayWords(maxNodes));
  words[base + NODES] = maxNodes;
}

/** An array of values > 0 at indices 0..2^20-1; 0 is no value. */
export class Xarray {
  readonly #words: Words;
  readonly #base: number;
  readonly #root: number;
  /** Word offset at which node 0 would be. */
  readonly #nodes: number;

  constructor(words: Words, base: number) {
    checkRegion('Xarray', words, base, 1);
    const maxNodes = words[base + NODES];
    if (maxNodes === 0) throw new IommuError('EINVAL', 'Xarray', 'base', base, 'no xarray was laid out here');
    this.#words = words;
    this.#base = base;
    this.#root = base + ROOT;
    this.#nodes = base + nodesOffset(maxNodes) - NODE_WORDS;
  }

  /** The value at an index, 0 for none; 0 for any number that is no index, as it may come from outside. Never waits. */
  load(index: number): number {
    if (index >>> 0 !== index || index > MAX_INDEX) return 0;
    const node = this.#words[this.#root + (index >> SLOT_BITS)] || this.#lookAgain(index); // [L]
    return node === 0 ? 0 : Atomics.load(this.#words, this.#nodes + node * NODE_WORDS + (index & SLOT_MASK)); // [C]
  }

  /** Sets a value (0 erases). @returns what was there. @throws IommuError EINVAL index or value; ENOMEM no node is left, or the last
   * is in the hands of a thread that is about to install it: have one to spare for each thread. */
  store(index: number, value: number): number {
    checkIndex('Xarray.store', 'index', index);
    checkInteger('Xarray.store', 'value', value, 0, MAX_VALUE);
    const node = this.#nodeFor('Xarray.store', index, value);
    if (node === 0) return 0;
    const old = Atomics.exchange(this.#words, node + (index & SLOT_MASK), value); // [P]
    this.#noteChange(node, index & SLOT_MASK, old, value);
    return old;
  }

  /** Sets a value (0 erases) if `expected` (0: nothing) is there. @returns what was there: `expected` if it was set.
   * @throws IommuError EINVAL index or value; ENOMEM no node is left. */
  compareExchange(index: number, expected: number, value: number): number {
    checkIndex('Xarray.compareExchange', 'index', index);
    checkInteger('Xarray.compareExchange', 'expected', expected, 0, MAX_VALUE);
    checkInteger('Xarray.compareExchange', 'value', value, 0, MAX_VALUE);
    const node = this.#nodeFor('Xarray.compareExchange', index, expected === 0 ? value : 0);
    if (node === 0) return 0;
    const old = Atomics.compareExchange(this.#words, node + (index & SLOT_MASK), expected, value); // [P]
    if (old === expected) this.#noteChange(node, index & SLOT_MASK, old, value);
    return old;
  }

  /** Removes a value. @returns what was there, 0 for nothing. Takes any number, as {@link load}. */
  erase(index: number): number {
    if (index >>> 0 !== index || index > MAX_INDEX) return 0;
    const root = this.#words[this.#root + (index >> SLOT_BITS)] || this.#lookAgain(index); // [L]
    if (root === 0) return 0;
    const node = this.#nodes + root * NODE_WORDS;
    const old = Atomics.exchange(this.#words, node + (index & SLOT_MASK), 0); // [E]
    this.#noteChange(node, index & SLOT_MASK, old, 0);
    return old;
  }

  /** Sets a value at a free index of min..max (included), the lowest that it finds. Never waits.
   * @returns the index, or -1 when none is free or no node is left; also when the only free one is being given back, or the last
   * node installed, by another thread at that moment: try again. @throws IommuError EINVAL value, min or max. */
  alloc(value: number, min: number, max: number): number {
    if (
      (value | 0) !== value ||
      value < 1 ||
      (min | 0) !== min ||
      min < 0 ||
      (max | 0) !== max ||
      max < min ||
      max > MAX_INDEX
    )
      refuseAlloc(value, min, max);
    const lastBlock = max >> SLOT_BITS;
    for (let block = min >> SLOT_BITS; block <= lastBlock; block++) {
      const node = this.#installed(block);
      if (node === 0) continue;
      const first = block << SLOT_BITS;
      const slot = this.#claimSlot(node, value, Math.max(min - first, 0), Math.min(max - first, SLOT_MASK));
      if (slot >= 0) return first + slot;
    }
    return -1;
  }

  /** Values there are: counted by walking, exact while nobody stores. */
  count(): number {
    let count = 0;
    for (let block = 0; block < SLOTS; block++) {
      const root = this.#lookAgain(block << SLOT_BITS);
      if (root === 0) continue;
      const node = this.#nodes + root * NODE_WORDS;
      for (let slot = 0; slot < SLOTS; slot++) if (Atomics.load(this.#words, node + slot) !== 0) count++;
    }
    return count;
  }

  #lookAgain(index: number): number {
    return Atomics.load(this.#words, this.#root + (index >> SLOT_BITS));
  }

  /** Claims the lowest free slot of first..last in a node. @returns -1 when there is none. */
  #claimSlot(node: number, value: number, first: number, last: number): number {
    const words = this.#words;
    for (let slot = first; slot <= last; ) {
      const used = words[node + USED + (slot >> 5)];
      const free = ~used & (-1 << (slot & 31));
      if (free === 0) {
        slot = (slot | 31) + 1;
        continue;
      }
      slot = (slot & ~31) + 31 - Math.clz32(free & -free);
      if (slot > last) return -1;
      const taken = Atomics.compareExchange(words, node + slot, 0, value) === 0; // [P]
      this.#markUsed(node, slot);
      if (taken) return slot;
      slot++;
    }
    return -1;
  }

  #noteChange(node: number, slot: number, old: number, value: number): void {
    if (value !== 0) this.#markUsed(node, slot);
    else if (old !== 0) Atomics.and(this.#words, node + USED + (slot >> 5), ~(1 << (slot & 31))); // [E]
  }

  #markUsed(node: number, slot: number): void {
    const at = node + USED + (slot >> 5);
    const bit = 1 << (slot & 31);
    Atomics.or(this.#words, at, bit);
    if (Atomics.load(this.#words, node + slot) === 0) Atomics.and(this.#words, at, ~bit); // [U]
  }

  /** Word offset of an index's node, installed if a value is to go there; 0 when there is none and none is needed. */
  #nodeFor(call: string, index: number, value: number): number {
    const block = index >> SLOT_BITS;
    if (value === 0) {
      const root = this.#lookAgain(index);
      return root === 0 ? 0 : this.#nodes + root * NODE_WORDS;
    }
    const node = this.#installed(block);
    if (node === 0)
      throw new IommuError('ENOMEM', call, 'index', index, `all ${this.#words[this.#base + NODES]} nodes are in use`);
    return node;
  }

  /** Word offset of a block's node, which it installs if it must; 0 when no node is left. */
  #installed(block: number): number {
    const words = this.#words;
    const at = this.#root + block;
    let root = words[at]; // [L]
    if (root === 0) {
      const node = takeNode(words, this.#base);
      root = node === 0 ? Atomics.load(words, at) : Atomics.compareExchange(words, at, 0, node);
      if (root === 0) root = node;
      else if (node !== 0) giveNode(words, this.#base, node); // somebody was first
    }
    return root === 0 ? 0 : this.#nodes + root * NODE_WORDS;
  }
}

/** Says which argument of alloc is wrong. */
function refuseAlloc(value: number, min: number, max: number): void {
  checkInteger('Xarray.alloc', 'value', value, 1, MAX_VALUE);
  checkIndex('Xarray.alloc', 'max', max);
  checkInteger('Xarray.alloc', 'min', min, 0, max);
}

function checkIndex(call: string, field: string, index: number): void {
  checkInteger(call, field, index, 0, MAX_INDEX);
}
