// One tiny scenario for each thing that can be found, and for each that is refused.
import { setImmediate as immediate } from 'node:timers/promises';
import { balance } from '../balance.ts';
import { type Region, type Scenario, scenario, type ThreadContext } from '../scenario.ts';

const memory: readonly Region[] = [
  { name: 'flag', words: 1 },
  { name: 'other', words: 1 },
  { name: 'objects', words: 64, stride: 16, fields: { STATE: 0, VALUE: 1 } },
];
const common = {
  about: 'What is found?',
  source: 'explore/testing/findings.ts',
  memory,
  designs: { broken: 'fails' },
} as const;
const nothing = { run: (): void => undefined };

const increment = {
  run({ words, at }: ThreadContext): void {
    Atomics.store(words, at('flag'), Atomics.load(words, at('flag')) + 1);
  },
};
export const lostUpdate: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/lost update',
  threads: { alice: increment, bob: increment },
  check({ words, at }) {
    if (words[at('flag')] !== 2) throw new Error(`counted ${words[at('flag')]}, not 2`);
  },
});

export const books: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/unbalanced books',
  threads: { alice: increment, bob: increment },
  check: ({ words, at }) => balance({ counted: [words[at('flag')], 2] }),
});

export const forbidden: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/forbidden outcome',
  threads: { alice: increment, bob: increment },
  check: ({ words, at }) => `counted ${words[at('flag')]}`,
  outcomes: { 'counted 2': 'acceptable', 'counted 1': 'forbidden' },
});

export const exception: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/exception',
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('flag'), 1) },
    bob: {
      run({ words, at }) {
        if (Atomics.load(words, at('flag')) === 1) throw new RangeError('the flag is up');
      },
    },
  },
});

const plainIncrement = {
  run({ words, at }: ThreadContext): void {
    words[at('other')]++;
  },
};
export const dataRace: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/data race',
  threads: { alice: plainIncrement, bob: plainIncrement },
});

/** The flag publishes the plain word: no race. */
export const published: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/published',
  designs: { sound: 'holds' },
  threads: {
    alice: {
      run({ words, at }) {
        words[at('other')] = 7;
        Atomics.store(words, at('flag'), 1);
      },
    },
    bob: { run: ({ words, at }) => (Atomics.load(words, at('flag')) === 1 ? words[at('other')] : 7) },
  },
  check({ results }) {
    if (results.bob !== 7) throw new Error(`read ${results.bob}`);
  },
});

/** Declared to race: what it may find is explored all the same. */
export const racy: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/racy on purpose',
  designs: { sound: 'holds' },
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('other'), 1) },
    bob: { run: ({ words, at }) => words[at('other')] },
  },
  racy: [{ region: 'other', why: 'a guess' }],
  check: ({ results }) => `read ${results.bob}`,
  outcomes: { 'read 0': 'acceptable', 'read 1': 'acceptable' },
});

export const lostWakeUp: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/lost wake-up',
  threads: {
    waker: {
      run({ words, at }) {
        if (Atomics.load(words, at('other')) === 1) Atomics.notify(words, at('flag'));
        Atomics.store(words, at('flag'), 1);
      },
    },
    sleeper: {
      run({ words, at }) {
        Atomics.store(words, at('other'), 1);
        Atomics.wait(words, at('flag'), 0);
      },
    },
  },
});

function lockBoth({ words, at }: ThreadContext, first: string, second: string): void {
  for (const lock of [first, second])
    while (Atomics.compareExchange(words, at(lock), 0, 1) !== 0) Atomics.wait(words, at(lock), 1);
  for (const lock of [second, first]) {
    Atomics.store(words, at(lock), 0);
    Atomics.notify(words, at(lock));
  }
}
export const deadlock: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/deadlock',
  threads: {
    alice: { run: (context) => lockBoth(context, 'flag', 'other') },
    bob: { run: (context) => lockBoth(context, 'other', 'flag') },
  },
});

export const livelock: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/livelock',
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('flag'), 2) },
    bob: {
      run({ words, at }) {
        while (Atomics.load(words, at('flag')) !== 1);
      },
    },
  },
});

/** Goes round for ever, and writes as it does. */
export const busyLivelock: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/busy livelock',
  bounds: { steps: 50 },
  threads: {
    alice: nothing,
    bob: {
      run({ words, at }) {
        while (Atomics.add(words, at('flag'), 1) >= 0);
      },
    },
  },
});

/** A spin loop that ends as soon as the other thread gets on: held back, the space is finite. */
export const spinLoop: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/spin loop',
  designs: { sound: 'holds' },
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('flag'), 1) },
    bob: {
      run({ words, at }) {
        while (Atomics.load(words, at('flag')) !== 1);
      },
    },
  },
});

/** What it looked at before the loop may change: it is held back all the same. */
export const spinAfterLook: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/spin after a look',
  designs: { sound: 'holds' },
  threads: {
    alice: {
      run({ words, at }) {
        Atomics.store(words, at('other'), 1);
        Atomics.store(words, at('flag'), 1);
      },
    },
    bob: {
      run({ words, at }) {
        Atomics.load(words, at('other'));
        while (Atomics.load(words, at('flag')) !== 1);
      },
    },
  },
});

/** Looks at two words in turn, of which one changes in between: it is no livelock, and nothing is cut. */
export const spinOverTwo: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/spin over two words',
  designs: { sound: 'holds' },
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('flag'), 1) },
    bob: {
      run({ words, at }) {
        let seen = 0;
        do {
          seen = Atomics.load(words, at('flag'));
          Atomics.load(words, at('other'));
        } while (seen !== 1);
      },
    },
  },
});

/** One sleeps, the other spins until it has done what it sleeps before. */
export const sleeperAndSpinner: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/sleeper and spinner',
  threads: {
    sleeper: {
      run({ words, at }) {
        Atomics.wait(words, at('flag'), 0);
        Atomics.store(words, at('other'), 1);
      },
    },
    spinner: {
      run({ words, at }) {
        while (Atomics.load(words, at('other')) !== 1);
        Atomics.notify(words, at('flag'));
      },
    },
  },
});

const FREED = 9;
export const useAfterFree: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/use after free',
  threads: {
    owner: {
      run({ words, at }) {
        Atomics.store(words, at('flag'), 0);
        Atomics.store(words, at('objects'), FREED);
      },
    },
    reader: {
      run({ words, at }) {
        if (Atomics.load(words, at('flag')) === 1) Atomics.add(words, at('objects') + 1, 1);
      },
    },
  },
  setup({ words, at }) {
    words[at('flag')] = 1;
  },
  guard: ({ words, at }) => {
    const objects = at('objects');
    return (word) => (word === objects + 1 && words[objects] === FREED ? 'freed by owner' : undefined);
  },
});

let runs = 0;
export const nondeterminism: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/nondeterminism',
  threads: {
    alice: {
      run({ words, at }) {
        Atomics.store(words, at('flag'), ++runs);
      },
    },
    bob: { run: ({ words, at }) => Atomics.load(words, at('flag')) },
  },
});

/** Two event loops: one waits for the other by waitAsync. */
export const eventLoops: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/event loops',
  designs: { sound: 'holds' },
  threads: {
    alice: {
      async run({ words, at }) {
        await immediate();
        Atomics.store(words, at('flag'), 1);
        Atomics.notify(words, at('flag'));
      },
    },
    bob: {
      async run({ words, at }) {
        while (Atomics.load(words, at('flag')) === 0) {
          const wait = Atomics.waitAsync(words, at('flag'), 0);
          if (wait.async) await wait.value;
        }
        return 5;
      },
    },
  },
  check({ results }) {
    if (results.bob !== 5) throw new Error(`bob returned ${results.bob}`);
  },
});

export const asleepOnTheEventLoop: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'findings/asleep on the event loop',
  threads: {
    alice: { run: ({ words, at }) => void Atomics.store(words, at('flag'), 1) }, // and no notify
    bob: {
      async run({ words, at }) {
        const wait = Atomics.waitAsync(words, at('flag'), 0);
        if (wait.async) await wait.value;
      },
    },
  },
});

/** A time-out saves the sleeper, where it may fire. */
export const timeouts = (['never', 'last', 'any'] as const).map(
  (when): Scenario =>
    scenario(import.meta.url, {
      ...common,
      name: `findings/time-outs ${when}`,
      designs: { [when]: when === 'never' ? 'fails' : 'holds' },
      timeouts: when,
      threads: {
        alice: { run: ({ words, at }) => void Atomics.store(words, at('other'), 1) },
        bob: {
          run({ words, at, now }) {
            const outcome = Atomics.wait(words, at('flag'), 0, 5);
            return (
              (outcome === 'timed-out' ? 10 : 0) +
              Atomics.load(words, at('other')) +
              (when === 'last' ? now() * 100 : 0)
            );
          },
        },
      },
      check: ({ results }) => `${results.bob}`,
      outcomes: { 10: 'acceptable', 11: 'acceptable', 511: 'acceptable' },
    }),
);
export const [timeoutsNever, timeoutsLast, timeoutsAny] = timeouts;

function refused(name: string, run: (context: ThreadContext) => unknown): Scenario {
  return scenario(import.meta.url, {
    ...common,
    name: `refused/${name}`,
    threads: { alice: { run: (context: ThreadContext) => void run(context) }, bob: nothing },
  });
}
export const refusedRandom: Scenario = refused('Math.random', () => Math.random());
export const refusedDate: Scenario = refused('Date.now', () => Date.now());
export const refusedNow: Scenario = refused('performance.now', () => performance.now());
export const refusedTimer: Scenario = refused('setTimeout', () => setTimeout(() => undefined, 1));
export const refusedMemory: Scenario = refused('unregistered memory', () =>
  Atomics.add(new Int32Array(new SharedArrayBuffer(4)), 0, 1),
);
export const refusedView: Scenario = refused('another element size', ({ words }) => new Uint8Array(words.buffer));
export const refusedLoop: Scenario = refused('a loop that never ends', () => {
  for (;;);
});
export const refusedSetup: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'refused/setup',
  threads: { alice: nothing, bob: nothing },
  setup() {
    throw new Error('no such region');
  },
});
