import type { Mutant } from '../mutant.ts';

const FOLDER = 'hw/src/page-table';

export const installMutants: readonly Mutant[] = [
  {
    name: 'an entry is stored where none was seen',
    module: `${FOLDER}/entry.ts`,
    find: 'const found = Atomics.compareExchange(entries, at, 0n, joined(lo, hi)); // [P]',
    replace: 'const found = Atomics.load(entries, at); if (found === 0n) Atomics.store(entries, at, joined(lo, hi));',
    scenario: '002/two-maps-install-table',
  },
  {
    name: 'the loser of a race for a slot keeps its table',
    module: `${FOLDER}/table-tree.ts`,
    find: `    pool.free(table);
    this.lostRaces++;`,
    replace: '    this.lostRaces++;',
    scenario: '002/two-maps-install-table',
  },
  {
    name: 'a root is stored though the top has changed',
    module: `${FOLDER}/table-tree.ts`,
    find: 'if (Atomics.load(words, this.base + PT_TOP) === top) {',
    replace: 'if (top !== 0) {',
    scenario: '002/top-growth',
  },
  {
    name: 'hardware is told of a root when threads use it already',
    module: `${FOLDER}/table-tree.ts`,
    find: `          this.#changeTop(root, topLevel);
          Atomics.store(words, this.base + PT_TOP, (root << TOP_TABLE_SHIFT) | topLevel); // [P] pairs with the load in top()`,
    replace: `          Atomics.store(words, this.base + PT_TOP, (root << TOP_TABLE_SHIFT) | topLevel);
          this.#changeTop(root, topLevel);`,
    scenario: '002/top-growth-hardware',
  },
];

export const freeMutants: readonly Mutant[] = [
  {
    name: 'tables are freed without a grace period',
    module: `${FOLDER}/deferred-tables.ts`,
    find: 'this.#rcu.synchronize(self);',
    replace: '',
    scenario: '002/unmap-finds-table-dump',
  },
  {
    name: 'a poll does not ask whether the grace period is over',
    module: `${FOLDER}/deferred-tables.ts`,
    find: ' && this.#rcu.isDone(this.#gracePeriod)',
    replace: '',
    scenario: '002/unmap-finds-table-dump',
    design: 'freed by a poll, if the grace period is over',
  },
  {
    name: 'the invalidation is not waited for',
    module: `${FOLDER}/gather.ts`,
    find: 'this.#invalidator.sync();',
    replace: '',
    scenario: '002/unmap-finds-table-hardware',
  },
  {
    name: 'a sync waits for the invalidation before its own',
    module: `${FOLDER}/iotlb.ts`,
    find: '(Atomics.add(words, this.#base + GENERATION, STEP) + STEP) | 0',
    replace: 'Atomics.add(words, this.#base + GENERATION, STEP)',
    scenario: '002/block-over-table-hardware',
  },
  {
    name: 'a table that a block replaces is forgotten',
    module: `${FOLDER}/map.ts`,
    find: 'forEachTable(tree, tree.tableOf(lo, hi), level - 1, (table) => gather.addTable(table));',
    replace: '',
    scenario: '002/block-over-table-dump',
  },
];

export const dirtyMutants: readonly Mutant[] = [
  {
    name: 'a leaf is cleaned by a store',
    module: `${FOLDER}/dirty.ts`,
    find: "if (method === 'compare-exchange') return",
    replace:
      "if (method === 'compare-exchange') { storeEntry(entries, at, cleaned(rule, lo), hi); return true; } if (method === 'test-and-clear') return",
    scenario: '002/dirty-bit-larger-leaf',
  },
  {
    name: 'a leaf is dirty if its first slot is',
    module: `${FOLDER}/dirty.ts`,
    find: 'if (kind === LEAF && isDirty(rule, lo, hi)) {',
    replace: 'if (kind === LEAF && isDirty(rule, lo, hi) && slot === 0) {',
    scenario: '002/dirty-copies',
    design: 'every copy, by compare-exchange',
  },
  {
    name: 'a cut does not look at what it replaces',
    module: `${FOLDER}/cut.ts`,
    find: 'late = replaceSlot(tree, place.at + slot, replacement) || late;',
    replace: 'replaceSlot(tree, place.at + slot, replacement);',
    scenario: '002/cut-copies',
  },
  {
    name: 'a promote does not look at the table again once hardware is out of it',
    module: `${FOLDER}/promote.ts`,
    find: '  if (dirty) dirtyRange(tree, page, pages);\n',
    replace: '',
    scenario: '002/promote-table',
  },
];
