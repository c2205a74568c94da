// Scenarios of 64-bit words: what is found there, what holds, and what is refused.
import { installEntry, loadEntry, seenHi, storeEntry } from '@faultline/hw/page-table';
import { type Region, type Scenario, scenario, type ThreadContext, type ThreadSpec } from '../scenario.ts';

const memory: readonly Region[] = [
  { name: 'flag', words: 1 },
  { name: 'entry', words: 1, wide: true },
  { name: 'tables', words: 12, wide: true, stride: 4, fields: { FIRST: 0, LAST: 3 } },
  { name: 'other', words: 1 },
];
const common = { about: 'What is found?', source: 'explore/testing/wide.ts', memory } as const;
const broken = { broken: 'fails' } as const;
const sound = { sound: 'holds' } as const;

/** Only the upper half of the word ever changes. */
const STEP = 2n ** 32n;
const AT_ONCE = 'compare-exchange';

/** Counts by what a design says: a load and a store lose what was counted between them. */
const counter: ThreadSpec<undefined> = {
  run({ wide, at, design }) {
    const entry = at('entry');
    for (;;) {
      const seen = Atomics.load(wide, entry);
      if (design === AT_ONCE) {
        if (Atomics.compareExchange(wide, entry, seen, seen + STEP) === seen) return;
        continue;
      }
      Atomics.store(wide, entry, seen + STEP);
      return;
    }
  },
};
export const lostUpdate: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/lost update',
  designs: { 'load and store': 'fails', [AT_ONCE]: 'holds' },
  setup({ wide, at }) {
    wide[at('entry')] = 2n ** 63n;
  },
  threads: { alice: counter, bob: counter },
  check({ wide, at }) {
    const counted = wide[at('entry')] + 2n ** 63n;
    if (counted !== 2n * STEP) throw new Error(`counted ${counted / STEP}, not 2`);
  },
});

/** The page table's own entries: of two that install into an empty slot, one does. */
function installer(lo: number, hi: number): ThreadSpec<undefined> {
  return {
    run({ wide, at, design }) {
      const slot = at('tables') + 3;
      if (design === AT_ONCE) return Number(installEntry(wide, slot, lo, hi));
      if (loadEntry(wide, slot) !== 0 || seenHi() !== 0) return 0;
      storeEntry(wide, slot, lo, hi);
      return 1;
    },
  };
}
export const install: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/install',
  designs: { 'looked at and stored': 'fails', [AT_ONCE]: 'holds' },
  threads: { alice: installer(0x1003, 0), bob: installer(0x2003, 1) },
  check({ wide, at, results }) {
    if (results.alice + results.bob !== 1) throw new Error(`${results.alice + results.bob} installed theirs`);
    const expected = results.alice === 1 ? 0x1003n : 0x1_0000_2003n;
    if (wide[at('tables') + 3] !== expected) throw new Error('the slot is not of who installed');
  },
});

const plainIncrement: ThreadSpec<undefined> = {
  run({ wide, at }) {
    wide[at('tables') + 4]++;
  },
};
export const dataRace: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/data race',
  designs: broken,
  threads: { alice: plainIncrement, bob: plainIncrement },
});

/** Through an array that the code under test makes itself, and a method of it. */
const filler: ThreadSpec<undefined> = {
  run: ({ wide, at }) => void new BigInt64Array(wide.buffer, at('tables') * 8, 4).fill(1n, 3),
};
export const viewByConstructor: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/view by constructor',
  designs: broken,
  threads: { alice: filler, bob: filler },
});

/** A 64-bit word publishes a 32-bit one, and a 32-bit one a 64-bit one: no race either way, unless by a plain access. */
const publisher = (plainly: boolean): ThreadSpec<undefined> => ({
  run({ words, wide, at }) {
    words[at('other')] = 7;
    if (plainly) wide[at('entry')] = STEP;
    else Atomics.store(wide, at('entry'), STEP);
    wide[at('tables')] = 9n;
    Atomics.store(words, at('flag'), 1);
  },
});
const receiver: ThreadSpec<undefined> = {
  run({ words, wide, at }) {
    if (Atomics.load(wide, at('entry')) === STEP && words[at('other')] !== 7) return 1;
    return Atomics.load(words, at('flag')) === 1 && wide[at('tables')] !== 9n ? 2 : 0;
  },
};
const arrives = ({ results }: { readonly results: Readonly<Record<string, number>> }): void => {
  if (results.bob !== 0) throw new Error(`bob saw ${results.bob}`);
};
export const published: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/published',
  designs: sound,
  threads: { alice: publisher(false), bob: receiver },
  check: arrives,
});
export const publishedPlainly: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/published plainly',
  designs: broken,
  threads: { alice: publisher(true), bob: receiver },
});

/** Declared to race: what it may find is explored all the same, from what the memory was laid out as. */
export const racy: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/racy on purpose',
  designs: sound,
  setup({ wide, at }) {
    wide[at('tables') + 5] = 5n;
  },
  threads: {
    alice: { run: ({ wide, at }) => void Atomics.store(wide, at('tables') + 5, -STEP) },
    bob: { run: ({ wide, at }) => (wide[at('tables') + 5] === 5n ? 0 : 1) },
  },
  racy: [{ region: 'tables', offsets: [1], why: 'a guess' }],
  check: ({ results }) => `found ${results.bob}`,
  outcomes: { 'found 0': 'acceptable', 'found 1': 'acceptable' },
});

/** An object among the 64-bit words is freed by a 32-bit word, or one among the 32-bit words by a 64-bit one. */
const freed = (name: string, isWide: boolean): Scenario =>
  scenario(import.meta.url, {
    ...common,
    name: `wide/use after free, ${name}`,
    designs: broken,
    threads: {
      owner: {
        run({ words, wide, at }) {
          if (isWide) Atomics.store(words, at('flag'), 1);
          else Atomics.store(wide, at('entry'), -STEP);
        },
      },
      user: {
        run({ words, wide, at }) {
          if (isWide) wide[at('tables') + 4] = 1n;
          else Atomics.add(words, at('other'), 1);
        },
      },
    },
    guard({ words, wide, at }) {
      return (word, isWideWord) => {
        if (isWide) return isWideWord && word === at('tables') + 4 && words[at('flag')] === 1 ? 'freed' : undefined;
        return !isWideWord && word === at('other') && wide[at('entry')] !== 0n ? 'freed' : undefined;
      };
    },
  });
export const freedWide: Scenario = freed('a wide object', true);
export const freedByWide: Scenario = freed('a wide state', false);

export const livelock: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/livelock',
  designs: broken,
  threads: {
    alice: { run: ({ wide, at }) => void Atomics.store(wide, at('entry'), STEP + 1n) },
    bob: {
      run({ wide, at }) {
        while (Atomics.load(wide, at('entry')) !== STEP);
      },
    },
  },
});

export const mixed: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/a number where a BigInt is due',
  designs: broken,
  threads: {
    alice: { run: ({ wide, at }) => void Atomics.store(wide, at('entry'), 1 as unknown as bigint) },
    bob: { run: () => undefined },
  },
});

/** Regions of either size begin at word 32 of their memory, and go on at multiples of 32. */
export const places: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'wide/places',
  designs: sound,
  threads: { alice: { run: () => undefined } },
  check({ words, wide, shared, at }) {
    const found = ['flag', 'other', 'entry', 'tables'].map(at);
    const sizes = [words.length, wide.length, shared.regions.length];
    if (`${found} ${sizes}` !== '32,64,32,64 96,96,2') throw new Error(`${found} ${sizes}`);
  },
});

function refused(name: string, run: (context: ThreadContext) => unknown): Scenario {
  return scenario(import.meta.url, {
    ...common,
    name: `wide/refused: ${name}`,
    designs: broken,
    threads: { alice: { run: (context: ThreadContext) => void run(context) }, bob: { run: () => undefined } },
  });
}
export const refusedInt32: Scenario = refused('Int32Array', ({ wide }) => new Int32Array(wide.buffer));
export const refusedUnsigned: Scenario = refused('BigUint64Array', ({ wide }) => new BigUint64Array(wide.buffer));
export const refusedDataView: Scenario = refused('DataView', ({ wide }) => new DataView(wide.buffer));
export const refusedBuffer: Scenario = refused('Buffer', ({ wide }) => Buffer.from(wide.buffer));
export const refusedWide: Scenario = refused('BigInt64Array', ({ words }) => new BigInt64Array(words.buffer));
export const refusedWait: Scenario = refused('wait', ({ wide, at }) => Atomics.wait(wide, at('entry'), 0n));
export const refusedWaitAsync: Scenario = refused('waitAsync', ({ wide, at }) =>
  Atomics.waitAsync(wide, at('entry'), 0n),
);
export const refusedNotify: Scenario = refused('notify', ({ wide, at }) =>
  Atomics.notify(wide as unknown as Int32Array, at('entry')),
);
