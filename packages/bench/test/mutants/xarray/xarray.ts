import type { Mutant } from '../mutant.ts';

const module = 'core/src/xarray/xarray.ts';
const pool = 'core/src/xarray/node-pool.ts';

export const xarrayMutants: readonly Mutant[] = [
  {
    name: 'who sets a USED bit does not look at the slot again',
    module,
    find: 'if (Atomics.load(this.#words, node + slot) === 0) Atomics.and(this.#words, at, ~bit); // [U]',
    replace: '',
    scenario: 'structures/xarray-alloc',
  },
  {
    name: 'erase clears the USED bit before the slot',
    module,
    find: 'const old = Atomics.exchange(this.#words, node + (index & SLOT_MASK), 0); // [E]',
    replace: `Atomics.and(this.#words, node + USED + ((index & SLOT_MASK) >> 5), ~(1 << (index & 31))); const old = Atomics.exchange(this.#words, node + (index & SLOT_MASK), 0); return old;`,
    scenario: 'structures/xarray-alloc',
  },
  {
    name: 'alloc looks at a slot and stores to it in two steps',
    module,
    find: 'const taken = Atomics.compareExchange(words, node + slot, 0, value) === 0; // [P]',
    replace:
      'const taken = Atomics.load(words, node + slot) === 0; if (taken) Atomics.store(words, node + slot, value);',
    scenario: 'structures/xarray-alloc',
  },
  {
    name: 'the USED bit is set in two steps',
    module,
    find: 'Atomics.or(this.#words, at, bit);',
    replace: 'Atomics.store(this.#words, at, Atomics.load(this.#words, at) | bit);',
    scenario: 'structures/xarray-alloc',
  },
  {
    name: 'store reads what was there and replaces it in two steps',
    module,
    find: 'const old = Atomics.exchange(this.#words, node + (index & SLOT_MASK), value); // [P]',
    replace:
      'const old = Atomics.load(this.#words, node + (index & SLOT_MASK)); Atomics.store(this.#words, node + (index & SLOT_MASK), value);',
    scenario: 'structures/xarray',
  },
  {
    name: 'a value is stored plainly',
    module,
    find: 'const old = Atomics.compareExchange(this.#words, node + (index & SLOT_MASK), expected, value); // [P]',
    replace:
      'const old = Atomics.load(this.#words, node + (index & SLOT_MASK)); if (old === expected) this.#words[node + (index & SLOT_MASK)] = value;',
    scenario: 'structures/xarray-publish',
  },
  {
    name: 'a node is installed over another',
    module,
    find: 'Atomics.compareExchange(words, at, 0, node);',
    replace: 'Atomics.exchange(words, at, node) * 0;',
    scenario: 'structures/xarray-nodes',
  },
  {
    name: 'the node that came too late is forgotten',
    module,
    find: 'else if (node !== 0) giveNode(words, this.#base, node); // somebody was first',
    replace: 'else if (node !== 0) void giveNode;',
    scenario: 'structures/xarray-nodes',
  },
  {
    name: 'SPARE has no tag: the same node back on top passes for one never taken',
    module: pool,
    find: 'const TAG_ONE = 1 << 16;',
    replace: 'const TAG_ONE = 0;',
    scenario: 'structures/xarray-spares',
  },
  {
    name: 'a spare node is given before it is linked to the others',
    module: pool,
    find: `    words[base + LINKS + node] = seen & NODE_MASK;
    const found = Atomics.compareExchange(words, base + SPARE, seen, (seen & ~NODE_MASK) | node); // [P]`,
    replace: `    const found = Atomics.compareExchange(words, base + SPARE, seen, (seen & ~NODE_MASK) | node);
    words[base + LINKS + node] = seen & NODE_MASK;`,
    scenario: 'structures/xarray-spares',
  },
  {
    name: 'fresh nodes are handed out in two steps',
    module: pool,
    find: 'const found = Atomics.compareExchange(words, base + CLAIMED, seen, seen + 1);',
    replace:
      'const found = Atomics.load(words, base + CLAIMED); if (found === seen) Atomics.store(words, base + CLAIMED, seen + 1);',
    scenario: 'structures/xarray-blocks',
  },
];
