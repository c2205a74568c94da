// Nodes of an xarray: taken when an index is first used, and kept for good once installed, so that a look-up may follow
// the root without a lock or a grace period. Only a node that lost the race to be installed comes back.
//
// Ordering.
//   [P] give: LINKS, then SPARE     pairs with  [C] take: SPARE, then LINKS
// A take reads LINKS before it owns the node; what it read counts only if SPARE, whose tag counts takes, has not moved.
import type { Words } from '../sync/thread-self.ts';
import { CLAIMED, LINKS, NODES, SPARE } from './xarray.layout.ts';

const NODE_MASK = 0xffff;
const TAG_ONE = 1 << 16;

/** Takes a node, all zero. @returns 0 when they are used up. Never blocks. */
export function takeNode(words: Words, base: number): number {
  for (let seen = Atomics.load(words, base + SPARE); (seen & NODE_MASK) !== 0; ) {
    const node = seen & NODE_MASK;
    const next = words[base + LINKS + node]; // [C]
    const found = Atomics.compareExchange(words, base + SPARE, seen, ((seen + TAG_ONE) & ~NODE_MASK) | next);
    if (found === seen) return node;
    seen = found;
  }
  for (let seen = Atomics.load(words, base + CLAIMED); seen < words[base + NODES]; ) {
    const found = Atomics.compareExchange(words, base + CLAIMED, seen, seen + 1);
    if (found === seen) return seen + 1;
    seen = found;
  }
  return 0;
}

/** Gives a node back that was never installed. */
export function giveNode(words: Words, base: number, node: number): void {
  for (let seen = Atomics.load(words, base + SPARE); ; ) {
    words[base + LINKS + node] = seen & NODE_MASK;
    const found = Atomics.compareExchange(words, base + SPARE, seen, (seen & ~NODE_MASK) | node); // [P]
    if (found === seen) return;
    seen = found;
  }
}
