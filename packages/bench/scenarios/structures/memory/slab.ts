import {
  linearizable,
  type Racy,
  type Region,
  type SequentialSpec,
  scenario,
  type ThreadContext,
} from '@faultline/bench/explore';
import { initSlab, layoutOffset, Slab, SlabCache, slabLayout, slabWords } from '@faultline/core/memory';

const OBJECT_WORDS = 16;
const RECORD_WORDS = 4;
const RECORD = ['META', 'FREED_BY', 'LINK', 'NEXT_CHAIN'] as const;

function records(capacity: number): { fields: Record<string, number>; nextChain: number[] } {
  const layout = slabLayout(capacity, OBJECT_WORDS);
  const fields: Record<string, number> = { HEAD: layoutOffset(layout, 'HEAD'), FRESH: layoutOffset(layout, 'FRESH') };
  const nextChain: number[] = [];
  for (let index = 1; index <= capacity; index++) {
    RECORD.forEach((name, word) => {
      fields[`record[${index}].${name}`] = layoutOffset(layout, 'RECORDS') + index * RECORD_WORDS + word;
    });
    nextChain.push(fields[`record[${index}].NEXT_CHAIN`]);
    fields[`object[${index}]`] = layoutOffset(layout, 'OBJECTS') + index * OBJECT_WORDS;
  }
  return { fields, nextChain };
}

function memory(capacity: number): readonly Region[] {
  return [{ name: 'slab', words: slabWords(capacity, OBJECT_WORDS), fields: records(capacity).fields }];
}

function racy(capacity: number): readonly Racy[] {
  return [
    {
      region: 'slab',
      offsets: records(capacity).nextChain,
      why: 'a pop reads it before the chain is its own, and uses what it read only if HEAD, with its tag, has not moved',
    },
  ];
}

interface Holder {
  readonly slab: Slab;
  readonly cache: SlabCache;
}

type Place = Pick<ThreadContext, 'words' | 'at' | 'self'>;

function open({ words, at, self }: Place, batch: number, checked: boolean): Holder {
  const slab = new Slab(words, at('slab'));
  return { slab, cache: new SlabCache(slab, self, { batch, checked }) };
}

/** Takes an object and writes its owner into it. */
function take({ slab, cache }: Holder, owner: number): number {
  const index = cache.alloc();
  if (index !== 0) slab.words[slab.at(index)] = owner;
  return index;
}

/** @throws Error when somebody else has written to the object meanwhile. */
function give({ slab, cache }: Holder, owner: number, index: number): void {
  if (index === 0) return;
  const found = slab.words[slab.at(index)];
  if (found !== owner) throw new Error(`object ${index} of thread ${owner} was written by ${found}`);
  cache.free(index);
}

/** @throws Error unless all objects but `held` can be taken, each once. */
function assertAllThere({ words, at }: Pick<Place, 'words' | 'at'>, held: readonly number[]): void {
  const { slab, cache } = open({ words, at, self: { id: 9, spins: 0 } }, 1, false);
  const found = held.filter((index) => index !== 0);
  for (let index = cache.alloc(); index !== 0; index = cache.alloc()) found.push(index);
  if (new Set(found).size !== found.length || found.length !== slab.capacity)
    throw new Error(`of ${slab.capacity} objects these are held or can be taken: ${found.toSorted().join(' ')}`);
}

const ALLOC = 0;
const FREE = 1;

/** Which objects are taken: alloc answers any that is not, 0 when all are. */
function objects(capacity: number): SequentialSpec<readonly number[]> {
  return {
    initial: () => [],
    apply(taken, { operation, argument, result }) {
      if (operation === FREE) return { state: taken.filter((index) => index !== argument), result: 0 };
      if (taken.length === capacity) return { state: taken, result: 0 };
      return { state: [...taken, result].toSorted(), result: result === 0 || taken.includes(result) ? -1 : result };
    },
    key: (taken) => taken.join(),
    names: ['alloc', 'free'],
  };
}

export const slab = scenario(import.meta.url, {
  name: 'structures/slab',
  about:
    'Two threads take and free two objects, one a chain: has any two owners, and is there none when alloc says so?',
  source: 'core/src/memory/slab-cache.ts',
  memory: memory(2),
  setup: ({ words, at }) => initSlab(words, at('slab'), 2, OBJECT_WORDS),
  threads: Object.fromEntries(
    ['alice', 'bob'].map((name) => [
      name,
      {
        open: (context: ThreadContext): Holder => open(context, 1, false),
        run(context: ThreadContext, holder: Holder): number {
          const { id } = context.self;
          const alloc = (): number => {
            const call = context.call(ALLOC, 0);
            const index = take(holder, id);
            context.done(call, index);
            return index;
          };
          const index = alloc();
          const call = context.call(FREE, index);
          give(holder, id, index);
          context.done(call, 0);
          return alloc();
        },
      },
    ]),
  ),
  history: linearizable(objects(2)),
  check: (context) => assertAllThere(context, Object.values(context.results)),
  racy: racy(2),
});

export const slabChains = scenario(import.meta.url, {
  name: 'structures/slab-chains',
  about:
    'One cache moves chains of two, the other single objects: is one lost when a chain is longer than its taker wants?',
  source: 'core/src/memory/slab-cache.ts',
  memory: memory(3),
  setup: ({ words, at }) => initSlab(words, at('slab'), 3, OBJECT_WORDS),
  threads: {
    two: {
      open: (context): Holder => open(context, 2, false),
      run({ self }, holder: Holder) {
        const held = [take(holder, self.id), take(holder, self.id)];
        for (const index of held) give(holder, self.id, index);
        holder.cache.flush();
        give(holder, self.id, take(holder, self.id));
        holder.cache.flush();
      },
    },
    one: {
      open: (context): Holder => open(context, 1, false),
      run({ self }, holder: Holder) {
        const held = [take(holder, self.id), take(holder, self.id)];
        for (const index of held) give(holder, self.id, index);
      },
    },
  },
  check: (context) => assertAllThere(context, []),
  racy: racy(3),
});

export const slabChecked = scenario(import.meta.url, {
  name: 'structures/slab-checked',
  about: 'One object goes back and forth in a checked run: is a write by its owner ever taken for one after its free?',
  source: 'core/src/memory/slab-cache.ts',
  memory: memory(1),
  setup: ({ words, at }) => initSlab(words, at('slab'), 1, OBJECT_WORDS),
  threads: Object.fromEntries(
    ['alice', 'bob'].map((name) => [
      name,
      {
        open: (context: ThreadContext): Holder => open(context, 1, true),
        run({ self }: ThreadContext, holder: Holder): void {
          for (let round = 0; round < 2; round++) give(holder, self.id, take(holder, self.id));
        },
      },
    ]),
  ),
  check: (context) => assertAllThere(context, []),
  racy: racy(1),
});

export const slabAba = scenario(import.meta.url, {
  name: 'structures/slab-aba',
  about: 'A pop sleeps while its chain is taken, and comes back on top of others: is it mistaken for one never taken?',
  source: 'core/src/memory/slab-cache.ts',
  memory: memory(3),
  setup(context) {
    initSlab(context.words, context.at('slab'), 3, OBJECT_WORDS);
    const { cache } = open({ ...context, self: { id: 9, spins: 0 } }, 1, false);
    for (const index of [cache.alloc(), cache.alloc(), cache.alloc()]) cache.free(index); // the stack is 3, 2, 1
  },
  threads: {
    slow: {
      open: (context): Holder => open(context, 1, false),
      run: ({ self }, holder: Holder) => take(holder, self.id),
    },
    fast: {
      open: (context): Holder => open(context, 1, false),
      run({ self }, holder: Holder) {
        const first = take(holder, self.id);
        const second = take(holder, self.id);
        give(holder, self.id, first);
        return second;
      },
    },
  },
  check: (context) => assertAllThere(context, Object.values(context.results)),
  racy: racy(3),
});

export const slabDoubleFree = scenario(import.meta.url, {
  name: 'structures/slab-double-free',
  about:
    'Two threads free one object at once, in a checked run: is one of them told, and is the object there once afterwards?',
  source: 'core/src/memory/slab-cache.ts',
  memory: memory(1),
  setup(context) {
    initSlab(context.words, context.at('slab'), 1, OBJECT_WORDS);
    open({ ...context, self: { id: 9, spins: 0 } }, 1, true).cache.alloc();
  },
  threads: Object.fromEntries(
    ['alice', 'bob'].map((name) => [
      name,
      {
        open: (context: ThreadContext): Holder => open(context, 1, true),
        run(_: ThreadContext, { cache }: Holder): number {
          try {
            cache.free(1);
            return 0;
          } catch (error) {
            if (!/double free|freed by two threads/.test(String(error))) throw error;
            return 1;
          }
        },
      },
    ]),
  ),
  check(context) {
    const told = Object.values(context.results).filter((result) => result === 1).length;
    if (told !== 1) throw new Error(`${told} of the two were told`);
    assertAllThere(context, []);
  },
  racy: [{ region: 'slab', why: 'the misuse under test: both threads write what only the holder may' }],
  // Each word of poison is a step of its own here: too many orders for all of them.
  strategy: { kind: 'bounded', preemptions: 2 },
});
