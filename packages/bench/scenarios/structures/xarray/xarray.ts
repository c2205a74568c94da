import {
  type Context,
  linearizable,
  type Racy,
  type Region,
  type SequentialSpec,
  scenario,
  type ThreadContext,
} from '@faultline/bench/explore';
import { IommuError } from '@faultline/core/errors';
import { layoutOffset } from '@faultline/core/memory';
import { initXarray, Xarray, xarrayLayout, xarrayWords } from '@faultline/core/xarray';

const BLOCK = 1024;
const NODE_WORDS = BLOCK + 32;
const MAX_NODES = 2;
const layout = xarrayLayout(MAX_NODES);
const [SPARE, CLAIMED, ROOT, LINKS, NODE] = ['SPARE', 'CLAIMED', 'ROOT', 'LINKS', 'SLOTS'].map((field) =>
  layoutOffset(layout, field),
);
const USED = [1, 2].map((node) => NODE + (node - 1) * NODE_WORDS + BLOCK);

const memory: readonly Region[] = [
  {
    name: 'xarray',
    words: xarrayWords(MAX_NODES),
    fields: {
      SPARE,
      CLAIMED,
      'ROOT[0]': ROOT,
      'ROOT[1]': ROOT + 1,
      'ROOT[2]': ROOT + 2,
      'LINKS[1]': LINKS + 1,
      'LINKS[2]': LINKS + 2,
      'node[1].slot[0]': NODE,
      'node[1].slot[1]': NODE + 1,
      'node[1].USED': USED[0],
      'node[2].slot[0]': NODE + NODE_WORDS,
      'node[2].slot[1]': NODE + NODE_WORDS + 1,
      'node[2].USED': USED[1],
    },
  },
  { name: 'payload', words: 3 },
];

const racy: readonly Racy[] = [
  {
    region: 'xarray',
    offsets: [ROOT, ROOT + 1, ROOT + 2],
    why: 'written once, and a node is all zero until it is installed; who finds none looks again',
  },
  { region: 'xarray', offsets: USED, why: 'only says where looking is in vain; the slot is the truth' },
  {
    region: 'xarray',
    offsets: [LINKS + 1, LINKS + 2],
    why: 'a take reads it before the node is its own, and uses what it read only if SPARE, with its tag, has not moved',
  },
];

const setup = ({ words, at }: Context): void => initXarray(words, at('xarray'), MAX_NODES);
const open = ({ words, at }: Context): Xarray => new Xarray(words, at('xarray'));

const LOAD = 0;
const STORE = 1;
const COMPARE_EXCHANGE = 2;
const ERASE = 3;

/** A word: store and erase answer what was there, compareExchange (of nothing with the argument) too. */
const word: SequentialSpec<number> = {
  initial: () => 0,
  apply(value, { operation, argument }) {
    if (operation === LOAD) return { state: value, result: value };
    if (operation === COMPARE_EXCHANGE) return { state: value === 0 ? argument : value, result: value };
    return { state: operation === STORE ? argument : 0, result: value };
  },
  key: String,
  names: ['load', 'store', 'compareExchange from nothing', 'erase'],
};

function recorded(context: ThreadContext, operation: number, argument: number, act: () => number): void {
  const call = context.call(operation, argument);
  context.done(call, act());
}

export const xarray = scenario(import.meta.url, {
  name: 'structures/xarray',
  about:
    'One index is stored, exchanged, loaded and erased by two threads while its node is installed: is it as good as one word?',
  source: 'core/src/xarray/xarray.ts',
  memory,
  setup,
  threads: {
    alice: {
      open,
      run(context, array: Xarray) {
        recorded(context, STORE, 1, () => array.store(0, 1));
        recorded(context, ERASE, 0, () => array.erase(0));
        recorded(context, LOAD, 0, () => array.load(0));
      },
    },
    bob: {
      open,
      run(context, array: Xarray) {
        recorded(context, LOAD, 0, () => array.load(0));
        recorded(context, COMPARE_EXCHANGE, 2, () => array.compareExchange(0, 0, 2));
      },
    },
  },
  history: linearizable(word),
  racy,
});

/** @throws Error unless every index of 0..1 that is not held can be allocated, each once. */
function assertNoneLost(place: Context, held: readonly number[]): void {
  const array = open(place);
  const found = held.filter((index) => index >= 0);
  for (let index = array.alloc(9, 0, 1); index >= 0; index = array.alloc(9, 0, 1)) found.push(index);
  if (found.toSorted().join() !== '0,1') throw new Error(`held or free to allocate: ${found.join(' ')}, not 0 and 1`);
}

export const xarrayAlloc = scenario(import.meta.url, {
  name: 'structures/xarray-alloc',
  about:
    'Two threads allocate and erase two indices: does an index ever go to both, or get lost for good behind its USED bit?',
  source: 'core/src/xarray/xarray.ts',
  memory,
  setup,
  threads: {
    alice: {
      open,
      run(_, array: Xarray) {
        const index = array.alloc(1, 0, 1);
        if (index >= 0 && array.erase(index) !== 1) throw new Error(`index ${index} was somebody else's too`);
        return array.alloc(1, 0, 1);
      },
    },
    bob: {
      open,
      run(_, array: Xarray) {
        const index = array.alloc(2, 0, 1);
        if (index >= 0 && array.erase(index) !== 2) throw new Error(`index ${index} was somebody else's too`);
      },
    },
  },
  check: (context) => assertNoneLost(context, [context.results.alice]),
  racy,
});

export const xarrayFull = scenario(import.meta.url, {
  name: 'structures/xarray-full',
  about: 'Two threads allocate where there is one index: may alloc say that none is free while nobody has it?',
  source: 'core/src/xarray/xarray.ts',
  memory,
  setup(context) {
    setup(context);
    open(context).store(0, 1); // so that index 1 is the only one
  },
  threads: {
    alice: { open, run: (_, array: Xarray) => array.alloc(1, 1, 1) },
    bob: {
      open,
      run(_, array: Xarray) {
        if (array.alloc(2, 1, 1) >= 0) array.erase(1);
        return array.alloc(2, 1, 1);
      },
    },
  },
  check(context) {
    const { alice, bob } = context.results;
    if (alice >= 0 && bob >= 0) throw new Error('both have index 1');
    open(context).erase(0);
    assertNoneLost(context, [alice, bob]);
    return alice >= 0 || bob >= 0 ? 'one has it' : 'neither got it';
  },
  outcomes: { 'one has it': 'acceptable', 'neither got it': 'interesting' },
  racy,
});

export const xarrayPublish = scenario(import.meta.url, {
  name: 'structures/xarray-publish',
  about: 'A value is stored after what it names was written: does whoever loads it find that written?',
  source: 'core/src/xarray/xarray.ts',
  memory,
  setup,
  threads: {
    writer: {
      open,
      run({ words, at }, array: Xarray) {
        words[at('payload') + 1] = 77;
        array.store(0, 1);
        words[at('payload') + 2] = 88;
        if (array.compareExchange(1, 0, 2) !== 0) throw new Error('index 1 was not empty');
      },
    },
    reader: {
      open,
      run({ words, at }, array: Xarray) {
        for (const [index, payload] of [
          [1, 88],
          [0, 77],
        ]) {
          const value = array.load(index);
          if (value !== 0 && words[at('payload') + value] !== payload) throw new Error(`${value} names nothing yet`);
        }
      },
    },
  },
  racy,
});

/** Value that a thread stores, so that each is told by its index. */
const valueAt = (index: number): number => index + 1;

/** @throws Error unless the indices hold their values, and those beside them nothing. */
function assertStored(array: Xarray, ...indices: number[]): void {
  for (const index of indices) {
    const [found, beside] = [array.load(index), array.load(index + 1)];
    if (found !== valueAt(index) || beside !== 0) throw new Error(`at ${index} is ${found}, then ${beside}`);
  }
}

export const xarrayNodes = scenario(import.meta.url, {
  name: 'structures/xarray-nodes',
  about: 'Two threads need a node for one block: is it installed once, and does the one that came too late come back?',
  source: 'core/src/xarray/xarray.ts',
  memory,
  setup,
  threads: {
    alice: { open, run: (_, array: Xarray) => array.store(0, valueAt(0)) },
    bob: { open, run: (_, array: Xarray) => array.store(8, valueAt(8)) },
  },
  check(context) {
    const array = open(context);
    array.store(BLOCK, valueAt(BLOCK)); // with two nodes: only if one of them came back or was never taken
    assertStored(array, 0, 8, BLOCK);
  },
  racy,
});

/** @returns whether no node was left for it. */
function storeIfRoom(array: Xarray, index: number): number {
  try {
    array.store(index, valueAt(index));
    return 0;
  } catch (error) {
    if (error instanceof IommuError && error.code === 'ENOMEM') return 1;
    throw error;
  }
}

export const xarrayLastNode = scenario(import.meta.url, {
  name: 'structures/xarray-last-node',
  about: 'Two threads need a node for one block and there is one left: may either hear that there is none?',
  source: 'core/src/xarray/xarray.ts',
  memory,
  setup(context) {
    setup(context);
    open(context).store(BLOCK, valueAt(BLOCK));
  },
  threads: {
    alice: { open, run: (_, array: Xarray) => storeIfRoom(array, 0) },
    bob: { open, run: (_, array: Xarray) => storeIfRoom(array, 8) },
  },
  check(context) {
    const { alice, bob } = context.results;
    if (alice === 1 && bob === 1) throw new Error('both were told, so nobody has it');
    assertStored(open(context), ...(alice === 1 ? [] : [0]), ...(bob === 1 ? [] : [8]), BLOCK);
    return alice === bob ? 'both stored' : 'one was told that none is left';
  },
  // While the other has it in hand and has not installed it yet.
  outcomes: { 'both stored': 'acceptable', 'one was told that none is left': 'interesting' },
  racy,
});

export const xarrayBlocks = scenario(import.meta.url, {
  name: 'structures/xarray-blocks',
  about: 'Two threads need nodes for two blocks: do they get two?',
  source: 'core/src/xarray/node-pool.ts',
  memory,
  setup,
  threads: {
    alice: { open, run: (_, array: Xarray) => void array.store(0, valueAt(0)) },
    bob: { open, run: (_, array: Xarray) => void array.store(BLOCK + 8, valueAt(BLOCK + 8)) },
  },
  check(context) {
    assertStored(open(context), 0, BLOCK + 8);
    if (open(context).load(8) !== 0) throw new Error('both blocks have one node');
  },
  racy,
});

export const xarraySpares = scenario(import.meta.url, {
  name: 'structures/xarray-spares',
  about: 'A take of a spare node sleeps while that node goes and comes back: is another one installed in two places?',
  source: 'core/src/xarray/node-pool.ts',
  memory,
  setup(context) {
    const { words, at } = context;
    setup(context);
    // As two lost races leave it: both nodes are spare, 1 before 2.
    words[at('xarray') + CLAIMED] = MAX_NODES;
    words[at('xarray') + SPARE] = 1;
    words[at('xarray') + LINKS + 1] = 2;
  },
  threads: {
    slow: { open, run: (_, array: Xarray) => array.alloc(valueAt(0), 0, 0) },
    alice: { open, run: (_, array: Xarray) => array.alloc(valueAt(BLOCK), BLOCK, BLOCK) },
    bob: { open, run: (_, array: Xarray) => array.alloc(valueAt(BLOCK + 8), BLOCK + 8, BLOCK + 8) },
  },
  check(context) {
    const array = open(context);
    const { slow, alice, bob } = context.results;
    // Who found both nodes in others' hands finds one now.
    if (slow < 0) array.store(0, valueAt(0));
    if (alice < 0) array.store(BLOCK, valueAt(BLOCK));
    if (bob < 0) array.store(BLOCK + 8, valueAt(BLOCK + 8));
    assertStored(array, 0, BLOCK, BLOCK + 8);
    if (array.alloc(1, 2 * BLOCK, 3 * BLOCK - 1) !== -1) throw new Error('a third node came from somewhere');
  },
  racy,
});
