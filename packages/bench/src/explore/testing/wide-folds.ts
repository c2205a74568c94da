// Values that have the same fold: a checker that looked at 32 bits of what it compares would be wrong about each of these.
import {
  type Region,
  type Scenario,
  type ScenarioSpec,
  scenario,
  type ThreadContext,
  type ThreadSpec,
} from '../scenario.ts';

/** Folds to 0. */
const SAME_FOLD = 0x1_85eb_ca6bn;
const OTHER = 2n ** 32n;

const memory: readonly Region[] = [
  { name: 'flag', words: 1 },
  { name: 'entry', words: 1, wide: true },
];
type Spec = ScenarioSpec<Readonly<Record<string, ThreadSpec<undefined>>>>;

function folded(name: string, spec: Omit<Spec, 'name' | 'about' | 'source' | 'memory'>): Scenario {
  const common = { about: 'Are values told apart?', source: 'explore/testing/wide-folds.ts', memory };
  return scenario(import.meta.url, { ...common, name: `wide folds/${name}`, ...spec });
}
const anyOf = (...names: string[]): Record<string, 'acceptable'> =>
  Object.fromEntries(names.map((name) => [name, 'acceptable' as const]));
const results: Spec['check'] = (context) => Object.values(context.results).join('');

const raiser: ThreadSpec<undefined> = { run: ({ wide, at }) => void Atomics.store(wide, at('entry'), SAME_FOLD) };
const raisesBoth: ThreadSpec<undefined> = {
  run({ words, wide, at }) {
    Atomics.store(wide, at('entry'), SAME_FOLD);
    Atomics.store(words, at('flag'), 1);
  },
};

/** The word changes behind its back while it looks at the other. */
export const spins: Scenario = folded('spins', {
  threads: {
    alice: raiser,
    bob: {
      run({ words, wide, at }) {
        let seen = 0n;
        do {
          seen = Atomics.load(wide, at('entry'));
          Atomics.load(words, at('flag'));
        } while (seen !== SAME_FOLD);
      },
    },
  },
});

/** The word that changes is not what the loop is for: what it says from then on is looked at afresh. */
export const spinsPast: Scenario = folded('spins past', {
  threads: {
    alice: raisesBoth,
    bob: {
      run({ words, wide, at }) {
        do Atomics.load(wide, at('entry'));
        while (Atomics.load(words, at('flag')) === 0);
      },
    },
  },
});

/** Two operations that differ in what they expect alone, and a look between them. */
export const exchangesInTurn: Scenario = folded('exchanges in turn', {
  setup({ wide, at }) {
    wide[at('entry')] = OTHER;
  },
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('flag'), 1) },
    bob: {
      run({ words, wide, at }) {
        for (;;) {
          Atomics.compareExchange(wide, at('entry'), 0n, 1n);
          if (Atomics.load(words, at('flag')) === 1) return;
          Atomics.compareExchange(wide, at('entry'), SAME_FOLD, 1n);
        }
      },
    },
  },
});

export const looksOften: Scenario = folded('looks often', {
  threads: {
    alice: raiser,
    bob: {
      run({ wide, at }) {
        let raised = 0;
        for (let i = 0; i < 6; i++) if (Atomics.load(wide, at('entry')) !== 0n) raised++;
        return raised;
      },
    },
  },
  check: ({ results: { bob } }) => `${bob}`,
  outcomes: anyOf('0', '1', '2', '3', '4', '5', '6'),
});

/** Of three, each may find the word as the one before left it: only a whole comparison tells the orders apart. */
const exchanger = (expected: bigint, value: bigint): ThreadSpec<undefined> => ({
  run: ({ wide, at }: ThreadContext) =>
    Number(Atomics.compareExchange(wide, at('entry'), expected, value) === expected),
});
export const chain: Scenario = folded('a chain of exchanges', {
  threads: { alice: exchanger(0n, SAME_FOLD), bob: exchanger(SAME_FOLD, OTHER), carol: exchanger(OTHER, 0n) },
  check: results,
  outcomes: anyOf('100', '110', '111'),
});

/** An exchange that fails now, as what it expects only folds alike, writes once the other has written. */
export const failsUntil: Scenario = folded('fails until', {
  threads: {
    alice: raiser,
    bob: exchanger(SAME_FOLD, OTHER),
    carol: { run: ({ wide, at }) => Number(Atomics.load(wide, at('entry')) === OTHER) },
  },
  check: results,
  outcomes: anyOf('000', '010', '011'),
});
