// Programs that a careless checker would call sound, or broken, and be wrong.
import { setImmediate as immediate } from 'node:timers/promises';
import { type Region, type Scenario, type ScenarioSpec, scenario, type ThreadContext } from '../scenario.ts';

const memory: readonly Region[] = [
  { name: 'x', words: 1 },
  { name: 'y', words: 1 },
  { name: 'flag', words: 1 },
  { name: 'objects', words: 64, stride: 16 },
];
type Spec = ScenarioSpec<Readonly<Record<string, { run(context: ThreadContext): unknown }>>>;

function suspect(name: string, spec: Omit<Spec, 'name' | 'about' | 'source' | 'memory'>): Scenario {
  const common = { about: 'Is the checker right about it?', source: 'explore/testing/suspects.ts', memory };
  return scenario(import.meta.url, { ...common, name: `suspects/${name}`, ...spec });
}

/** Grades for results of one digit a thread. */
const anyOf = (...names: string[]): Record<string, 'acceptable'> =>
  Object.fromEntries(names.map((name) => [name, 'acceptable' as const]));
const results: Spec['check'] = (context) => Object.values(context.results).join(' ');

const raise = (region: string, value = 1): { run(context: ThreadContext): void } => ({
  run: ({ words, at }) => void Atomics.store(words, at(region), value),
});

// Loops that give up, and code that only looks the same as a loop.

/** Tries five times, which is more often than a thread is let look by default. */
export const givesUp: Scenario = suspect('gives up', {
  threads: {
    retrier: {
      run({ words, at }) {
        for (let tries = 0; tries < 5; tries++) if (Atomics.load(words, at('x')) === 1) return 1;
        return 2;
      },
    },
    raiser: raise('x'),
  },
  check: results,
  outcomes: anyOf('1 0', '2 0'),
});

/** Nobody raises the word at all. */
export const givesUpAlone: Scenario = suspect('gives up alone', {
  threads: {
    retrier: {
      run({ words, at }) {
        for (let tries = 0; tries < 40; tries++) if (Atomics.load(words, at('x')) === 1) return 1;
        return 2;
      },
    },
    other: raise('y'),
  },
  check: results,
  outcomes: anyOf('2 0'),
});

/** No loop: it looks at one word six times. */
export const looksOften: Scenario = suspect('looks often', {
  threads: {
    reader: {
      run({ words, at }) {
        const look = (): number => Atomics.load(words, at('x'));
        return look() + look() + look() + look() + look() + look();
      },
    },
    raiser: raise('x'),
  },
  check: results,
  outcomes: anyOf('0 0', '1 0', '2 0', '3 0', '4 0', '5 0', '6 0'),
});

/** Its loop notifies where nobody sleeps yet, and the word there is not zero. */
export const notifiesUntilHeard: Scenario = suspect('notifies until heard', {
  setup: ({ words, at }) => {
    words[at('x')] = 7;
  },
  threads: {
    caller: {
      run({ words, at }) {
        while (Atomics.notify(words, at('x')) === 0);
      },
    },
    sleeper: { run: ({ words, at }) => (Atomics.wait(words, at('x'), 7) === 'ok' ? 1 : 2) },
  },
  check: results,
  outcomes: anyOf('0 1'),
});

/** Watches more words than a thread can be held back on. */
export const watchesMany: Scenario = suspect('watches many', {
  bounds: { steps: 200, schedules: 50 },
  threads: {
    watcher: {
      run({ words, at }) {
        for (let seen = 0; seen === 0; ) {
          seen = Atomics.load(words, at('x'));
          for (let i = 0; i < 12; i++) Atomics.load(words, at('objects') + i);
        }
      },
    },
    raiser: raise('x'),
  },
});

/** Looks at many words before it begins to spin. */
export const looksThenSpins: Scenario = suspect('looks, then spins', {
  threads: {
    watcher: {
      run({ words, at }) {
        for (let i = 0; i < 40; i++) Atomics.load(words, at('objects') + i);
        while (Atomics.load(words, at('x')) === 0);
      },
    },
    raiser: raise('x'),
  },
});

// Time.

/** Two time-outs at the same moment: either may be first. */
export const tiedTimeouts: Scenario = suspect('tied time-outs', {
  timeouts: 'last',
  threads: Object.fromEntries(
    [
      ['alice', 'x', 'y'],
      ['bob', 'y', 'x'],
    ].map(([name, own, other]) => [
      name,
      {
        run({ words, at }: ThreadContext) {
          const how = Atomics.wait(words, at(own), 0, 5);
          Atomics.notify(words, at(other));
          return how === 'ok' ? 1 : 2;
        },
      },
    ]),
  ),
  check: results,
  outcomes: anyOf('2 1', '1 2', '2 2'),
});

/** What time it is depends on nobody else: it moves with a thread's own time-outs. */
export const clocks: Scenario = suspect('clocks', {
  timeouts: 'any',
  threads: {
    sleeper: { run: ({ words, at, now }) => (Atomics.wait(words, at('x'), 0, 5) === 'ok' ? 0 : now()) },
    other: {
      run({ words, at, now }) {
        Atomics.load(words, at('y'));
        const time = now();
        Atomics.load(words, at('y'));
        return performance.now() - time;
      },
    },
  },
  check: results,
  outcomes: anyOf('5 0'),
});

/** A time-out of nothing asks, and never sleeps. */
export const asksOnly: Scenario = suspect('asks only', {
  threads: {
    asker: {
      run: ({ words, at }) =>
        (Atomics.wait(words, at('x'), 0, 0) === 'timed-out' ? 1 : 2) +
        (Atomics.wait(words, at('x'), 0, -5) === 'timed-out' ? 10 : 20),
    },
    other: raise('y'),
  },
  check: results,
  outcomes: anyOf('11 0'),
});

/** A finite waitAsync, where time-outs fire. */
export const asyncTimeout: Scenario = suspect('waitAsync with a time-out', {
  timeouts: 'any',
  threads: {
    sleeper: {
      async run({ words, at }) {
        const wait = Atomics.waitAsync(words, at('x'), 0, 5);
        return (await wait.value) === 'ok' ? 1 : 2;
      },
    },
    waker: { run: ({ words, at }) => Atomics.notify(words, at('x')) },
  },
  check: results,
  outcomes: anyOf('1 1', '2 0', '2 1'),
});

// Event loops.

const waitOn = async ({ words, at }: ThreadContext, region: string, result: number): Promise<number> => {
  const wait = Atomics.waitAsync(words, at(region), 0);
  await wait.value;
  return result;
};
/** Which of two promises is first is the order of the notifies, though these touch different words. */
export const twoPromises: Scenario = suspect('two promises', {
  threads: {
    host: {
      async run(context) {
        const { words, at } = context;
        Atomics.store(words, at('flag'), 1);
        const both = [waitOn(context, 'x', 1), waitOn(context, 'y', 2)];
        Atomics.store(words, at('flag'), 2);
        return await Promise.race(both);
      },
    },
    first: {
      run({ words, at }) {
        while (Atomics.load(words, at('flag')) !== 2);
        Atomics.notify(words, at('x'));
      },
    },
    second: {
      run({ words, at }) {
        while (Atomics.load(words, at('flag')) !== 2);
        Atomics.notify(words, at('y'));
      },
    },
  },
  check: results,
  outcomes: anyOf('1 0 0', '2 0 0'),
});

/** Whether the loop's turn or the notify is first is up to the schedule. */
export const turnOrNotify: Scenario = suspect('a turn or a notify', {
  threads: {
    host: {
      async run(context) {
        const { words, at } = context;
        const woken = waitOn(context, 'x', 1);
        Atomics.store(words, at('flag'), 1);
        Atomics.load(words, at('y'));
        return await Promise.race([woken, immediate().then(() => 2)]);
      },
    },
    waker: {
      run({ words, at }) {
        while (Atomics.load(words, at('flag')) === 0);
        Atomics.notify(words, at('x'));
      },
    },
  },
  check: results,
  outcomes: anyOf('1 0', '2 0'),
});

// Plain accesses.

/** Sorting writes. */
export const sorts: Scenario = suspect('sorts', {
  designs: { broken: 'fails' },
  threads: {
    sorter: { run: ({ words, at }) => void words.subarray(at('objects'), at('objects') + 4).sort() },
    reverser: { run: ({ words, at }) => void words.subarray(at('objects'), at('objects') + 4).reverse() },
  },
});

/** Each looks at a word of its own, by a method. */
export const looksApart: Scenario = suspect('looks apart', {
  threads: {
    alice: {
      run({ words, at }) {
        words[at('x')] = 1;
        return words.subarray(at('x'), at('x') + 1).indexOf(1) + (words.at(at('x')) ?? 0);
      },
    },
    bob: {
      run({ words, at }) {
        words[at('y')] = 1;
        return words.subarray(at('y'), at('y') + 1).findLast((value) => value === 1);
      },
    },
  },
  check: results,
  outcomes: anyOf('1 1'),
});

/** Two racy words written by one method are two steps. */
export const racyFill: Scenario = suspect('racy fill', {
  racy: [{ region: 'objects', why: 'tested' }],
  threads: {
    writer: { run: ({ words, at }) => void words.fill(1, at('objects'), at('objects') + 2) },
    reader: {
      run: ({ words, at }) => {
        const later = words[at('objects') + 1];
        return later * 10 + words[at('objects')];
      },
    },
  },
  check: results,
  outcomes: anyOf('0 0', '0 1', '0 11'),
});

function viewed(name: string, make: (buffer: SharedArrayBuffer) => unknown): Scenario {
  return suspect(`view ${name}`, {
    threads: { alice: { run: ({ words }) => void make(words.buffer) }, bob: raise('y') },
  });
}
export const viewUint32: Scenario = viewed('Uint32Array', (buffer) => new Uint32Array(buffer));
export const viewFloat16: Scenario = viewed('Float16Array', (buffer) => new Float16Array(buffer));
export const viewBuffer: Scenario = viewed('Buffer', (buffer) => Buffer.from(buffer));
export const viewByConstructor: Scenario = suspect('view by constructor', {
  designs: { broken: 'fails' },
  threads: Object.fromEntries(
    ['alice', 'bob'].map((name) => [
      name,
      {
        run({ words, at, self }: ThreadContext) {
          const Views = words.constructor as Int32ArrayConstructor;
          new Views(words.buffer)[at('x')] = self.id;
        },
      },
    ]),
  ),
});

/** An atomic write that is not the last one races, too. */
export const earlierAtomicWrite: Scenario = suspect('earlier atomic write', {
  designs: { broken: 'fails' },
  threads: {
    // `first` is ordered before nobody; the reader knows of `second` alone.
    first: raise('x', 1),
    second: {
      run({ words, at }) {
        Atomics.store(words, at('x'), 2);
        Atomics.store(words, at('y'), 1);
      },
    },
    reader: { run: ({ words, at }) => (Atomics.load(words, at('y')) === 1 ? words[at('x')] : 0) },
  },
});

// Guards.

/** The object may be touched unless two words say so; the second is what changes. */
export const twoStates: Scenario = suspect('two states', {
  designs: { broken: 'fails' },
  setup: ({ words, at }) => {
    words[at('flag')] = 1;
  },
  threads: {
    owner: {
      run({ words, at }) {
        if (Atomics.load(words, at('x')) === 0) Atomics.store(words, at('y'), 1);
      },
    },
    user: {
      run({ words, at }) {
        Atomics.load(words, at('flag'));
        words[at('objects')] = 1;
      },
    },
  },
  guard:
    ({ words, at }) =>
    (word) =>
      word === at('objects') && words[at('flag')] === 1 && words[at('y')] === 1 ? 'freed' : undefined,
});

/** The word that a guard reads is written plainly by two threads. */
export const racyState: Scenario = suspect('racy state', {
  designs: { broken: 'fails' },
  threads: {
    alice: {
      run({ words, at }) {
        words[at('y')] = 2;
      },
    },
    bob: {
      run({ words, at }) {
        words[at('y')] = 3;
      },
    },
  },
  guard:
    ({ words, at }) =>
    (word) =>
      word === at('objects') && words[at('y')] === 1 ? 'freed' : undefined,
});

// What does not replay.

let runs = 0;
const order = new Map<string, number>();
export const statefulResult: Scenario = suspect('stateful result', {
  designs: { broken: 'fails' },
  threads: { alice: { run: () => ++runs % 1000 }, bob: raise('y') },
});
export const statefulPlainWrite: Scenario = suspect('stateful plain write', {
  designs: { broken: 'fails' },
  threads: {
    alice: {
      run({ words, at }) {
        words[at('x')] = ++runs;
      },
    },
    bob: raise('y'),
  },
});
export const mapOrder: Scenario = suspect('map order', {
  designs: { broken: 'fails' },
  threads: {
    alice: {
      run({ words, at }) {
        const name = order.has('x') ? 'y' : 'x';
        order.delete(name === 'x' ? 'y' : 'x');
        order.set(name, 1);
        for (const region of order.keys()) Atomics.add(words, at(region), 1);
      },
    },
    bob: raise('flag'),
  },
});
/** Breaks once, and never again. */
export const breaksOnce: Scenario = suspect('breaks once', {
  designs: { broken: 'fails' },
  threads: {
    alice: {
      run({ words, at }) {
        Atomics.load(words, at('x'));
        if (++runs === 1) throw new Error('the first time only');
      },
    },
    bob: raise('y'),
  },
});
export const draws: Scenario = suspect('draws', {
  threads: {
    alice: {
      run({ words, at, random }) {
        for (let i = 0; i < 3; i++) Atomics.add(words, at('x'), Math.floor(random() * 100));
      },
    },
    bob: raise('x'),
  },
});

// Limits.

export const tooManyWaiters: Scenario = suspect('too many waiters', {
  threads: {
    host: {
      async run({ words, at }) {
        for (let i = 0; i < 65; i++) Atomics.waitAsync(words, at('x'), 0);
      },
    },
    other: raise('y'),
  },
});
export const tooManyOperations: Scenario = suspect('too many operations', {
  threads: {
    caller: {
      run({ call, done }) {
        for (let i = 0; i < 65; i++) done(call(0, i), 0);
      },
    },
    other: raise('y'),
  },
  history: () => undefined,
});
export const neverDone: Scenario = suspect('never done', {
  threads: { caller: { run: ({ call }) => void call(3, 1) }, other: raise('y') },
  history: () => undefined,
});
export const tooManyOutcomes: Scenario = suspect('too many outcomes', {
  threads: { alice: raise('x'), bob: raise('y') },
  check: () => '1',
  outcomes: anyOf(...Array.from({ length: 65 }, (_, i) => `${i}`)),
});

// What breaks in more ways than one.

const lockBoth = ({ words, at }: ThreadContext, first: string, second: string): void => {
  for (const lock of [first, second])
    while (Atomics.compareExchange(words, at(lock), 0, 1) !== 0) Atomics.wait(words, at(lock), 1);
  for (const lock of [second, first]) Atomics.store(words, at(lock), 0); // and no notify: who sleeps on one does so for ever
};
export const deadlockOrLost: Scenario = suspect('deadlock or lost wake-up', {
  designs: { broken: 'fails' },
  threads: {
    alice: { run: (context) => lockBoth(context, 'x', 'y') },
    bob: { run: (context) => lockBoth(context, 'y', 'x') },
  },
});
export const twoOutcomes: Scenario = suspect('two outcomes', {
  designs: { broken: 'fails' },
  threads: {
    alice: { run: ({ words, at }) => Atomics.add(words, at('x'), 1) },
    bob: { run: ({ words, at }) => Atomics.add(words, at('x'), 1) },
  },
  check: results,
  outcomes: { '0 1': 'forbidden', '1 0': 'forbidden' },
});

/** What a thread's objects take from the memory does not depend on who ended the schedule before. */
const takesTicket = {
  open: ({ words, at }: ThreadContext): number => Atomics.add(words, at('x'), 1),
  run({ words, at }: ThreadContext, ticket: number): number {
    Atomics.add(words, at('y'), 1);
    return ticket;
  },
};
export const opensInOrder: Scenario = suspect('opens in order', {
  threads: { first: takesTicket, second: takesTicket, third: takesTicket } as never,
  check: results,
  outcomes: anyOf('0 1 2'),
});
