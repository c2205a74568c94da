// Small random programs: what the searches are held against one another on. The design's name says which.
import { setImmediate as immediate } from 'node:timers/promises';
import { type Scenario, type ScenarioSpec, scenario, type ThreadContext, type ThreadSpec } from '../scenario.ts';

export const WORDS = 2;
const BUCKETS = 64;

/** An end's name, from what the threads returned and what else there is to tell ends apart by. */
export function endOf(results: Readonly<Record<string, number>>, memory: number): string {
  let hash = memory;
  for (const result of Object.values(results)) hash = Math.imul(hash ^ result, 0x01000193);
  return `end ${(hash >>> 7) % BUCKETS}`;
}

/** One number after another, from the program's name. */
function numbers(seed: number): (below: number) => number {
  let x = Math.imul(seed, 0x9e3779b1) | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 4) % below;
  };
}

function runProgram({ words, at, design, self }: ThreadContext, sleeps: boolean): number {
  const draw = numbers(Number(design) * 7 + self.id);
  const base = at('words');
  let seen = self.id;
  for (let left = 2 + draw(3); left > 0; left--) {
    const word = base + draw(WORDS);
    const value = draw(3);
    switch (draw(sleeps ? 8 : 6)) {
      case 0:
        seen = seen * 5 + Atomics.load(words, word);
        break;
      case 1:
        Atomics.store(words, word, value);
        break;
      case 2:
        seen = seen * 5 + Atomics.add(words, word, 1);
        break;
      case 3:
        seen = seen * 5 + Atomics.compareExchange(words, word, value, value + 1);
        break;
      case 4:
        // What it does next depends on what it finds.
        if (Atomics.load(words, word) > value) Atomics.store(words, base, 2);
        else seen = seen * 5 + Atomics.exchange(words, base + 1, value);
        break;
      case 5:
        Atomics.store(words, word, (Atomics.load(words, word) + 1) | 0);
        break;
      case 6:
        seen = seen * 5 + (Atomics.wait(words, word, value) === 'ok' ? 1 : 2);
        break;
      default:
        seen = seen * 5 + Atomics.notify(words, word, 1 + value);
    }
  }
  return seen | 0;
}

function programs(name: string, threads: readonly string[], sleeps: boolean, count: number): Scenario {
  const thread: ThreadSpec<undefined> = { run: (context) => runProgram(context, sleeps) };
  return scenario(import.meta.url, {
    name,
    about: 'Do all searches see the same ends of a random program?',
    source: 'explore/testing/programs.ts',
    designs: Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i + 1}`, 'holds' as const])),
    memory: [{ name: 'words', words: WORDS }],
    threads: Object.fromEntries(threads.map((each) => [each, thread])),
    outcomes: Object.fromEntries(Array.from({ length: BUCKETS }, (_, i) => [`end ${i}`, 'acceptable' as const])),
    check: ({ words, at, results }) => endOf(results, words[at('words')] * 31 + words[at('words') + 1]),
    spins: 100,
  });
}

export const COUNT = 400;
export const twoThreads: Scenario = programs('testing/two threads', ['alice', 'bob'], false, COUNT);
export const threeThreads: Scenario = programs('testing/three threads', ['alice', 'bob', 'carol'], false, COUNT);
export const sleepers: Scenario = programs('testing/sleepers', ['alice', 'bob'], true, COUNT);

// Programs of what the operations above leave out, each kind of its own.

export type Step = (context: ThreadContext, draw: (below: number) => number, seen: number) => number | Promise<number>;

const wordOf = ({ at }: ThreadContext, draw: (below: number) => number): number => at('words') + draw(WORDS);
export const atomically: Step = ({ words, ...context }, draw, seen) => {
  const word = wordOf({ words, ...context }, draw);
  const value = draw(3);
  switch (draw(4)) {
    case 0:
      return seen * 5 + Atomics.load(words, word);
    case 1:
      return seen + Atomics.store(words, word, value);
    case 2:
      return seen * 5 + Atomics.add(words, word, 1);
    default:
      return seen * 5 + Atomics.compareExchange(words, word, value, value + 1);
  }
};
export const plainly: Step = (context, draw, seen) => {
  const word = wordOf(context, draw);
  if (draw(2) === 0) return seen * 5 + context.words[word];
  context.words[word] = draw(3);
  return seen;
};
const touching: Step = (context, draw, seen) => {
  context.words[context.at('objects') + context.self.id] = draw(3); // each its own: the guard says whether it may
  return seen;
};
const waiting =
  (timeoutMs: number): Step =>
  (context, draw, seen) => {
    const how = Atomics.wait(context.words, wordOf(context, draw), draw(2), timeoutMs * (1 + draw(2)));
    return seen * 5 + ['ok', 'not-equal', 'timed-out'].indexOf(how) + (draw(2) === 0 ? 0 : context.now());
  };
const notifying: Step = (context, draw, seen) =>
  seen * 5 + Atomics.notify(context.words, wordOf(context, draw), 1 + draw(2));
const retrying: Step = (context, draw, seen) => {
  const word = wordOf(context, draw);
  const most = 1 + draw(5);
  let tries = 0;
  while (tries < most && Atomics.load(context.words, word) === 0) tries++;
  return seen * 7 + tries;
};
const spinning: Step = (context, draw, seen) => {
  const word = wordOf(context, draw);
  for (;;) {
    const found = Atomics.load(context.words, word);
    if (found !== 0) return seen * 5 + found;
  }
};
const marked: Step = async (context, draw, seen) => {
  const call = context.call(draw(2), 0);
  const next = await atomically(context, draw, seen);
  context.done(call, next & 3);
  return next;
};
const turning: Step = async ({ words, at }, draw, seen) => {
  if (draw(2) === 0) {
    await immediate();
    return seen;
  }
  const wait = Atomics.waitAsync(words, at('words') + draw(WORDS), draw(2));
  return seen * 5 + (wait.async ? await Promise.race([wait.value.then(() => 3), immediate().then(() => 4)]) : 0);
};

export function stepPrograms(
  name: string,
  threads: number,
  length: number,
  steps: readonly Step[],
  spec: Partial<Omit<ScenarioSpec<Readonly<Record<string, ThreadSpec<undefined>>>>, 'threads'>> = {},
): Scenario {
  const isAsync = steps.includes(turning) || steps.includes(marked);
  const plan = ({ design, self }: ThreadContext): { draw: (below: number) => number; chosen: Step[] } => {
    const draw = numbers(Number(design) * 11 + self.id);
    return { draw, chosen: Array.from({ length: 1 + draw(length) }, () => steps[draw(steps.length)]) };
  };
  const thread: ThreadSpec<undefined> = {
    run: isAsync
      ? async (context) => {
          const { draw, chosen } = plan(context);
          let seen = context.self.id;
          for (const step of chosen) seen = await step(context, draw, seen);
          return seen | 0;
        }
      : (context) => {
          const { draw, chosen } = plan(context);
          return chosen.reduce((seen, step) => step(context, draw, seen) as number, context.self.id) | 0;
        },
  };
  const base = programs(name, ['alice', 'bob', 'carol'].slice(0, threads), false, COUNT).spec;
  return scenario(import.meta.url, {
    ...base,
    memory: [
      { name: 'words', words: WORDS },
      { name: 'objects', words: 8 },
    ],
    threads: Object.fromEntries(Object.keys(base.threads).map((each) => [each, thread])),
    spins: 3,
    ...spec,
  });
}

const racy = [{ region: 'words', why: 'the programs race' }];
/** Breaks for some of the histories that a program has: which ones, its number says. */
const someHistories: ScenarioSpec<Readonly<Record<string, never>>>['history'] = (operations) => {
  let key = 0;
  for (const one of operations) {
    let before = 0;
    for (const other of operations) if (other.end < one.start) before++;
    key += Math.imul(one.thread * 64 + one.operation * 16 + one.result * 4 + before + 1, 0x9e3779b1);
  }
  if ((key >>> 8) % 13 === 0) throw new Error('one of the histories');
};

export const stepped: readonly (readonly [scenario: Scenario, programs: number])[] = [
  [stepPrograms('testing/plain and racy', 2, 4, [atomically, plainly], { racy }), 6],
  [
    stepPrograms('testing/guarded', 2, 4, [atomically, plainly, touching], {
      racy,
      guard:
        ({ words, at }) =>
        (word) =>
          word >= at('objects') && Atomics.load(words, at('words')) === 2 && words[at('words') + 1] === 1
            ? 'freed'
            : undefined,
    }),
    6,
  ],
  [stepPrograms('testing/histories', 2, 3, [marked], { history: someHistories }), 5],
  [stepPrograms('testing/time-outs last', 2, 4, [atomically, waiting(5), notifying], { timeouts: 'last' }), 5],
  [stepPrograms('testing/time-outs any', 2, 4, [atomically, waiting(5), notifying], { timeouts: 'any' }), 5],
  [stepPrograms('testing/event loops', 2, 3, [atomically, turning, notifying]), 5],
  [stepPrograms('testing/retries', 2, 3, [atomically, retrying]), 5],
  [stepPrograms('testing/spins', 2, 3, [atomically, spinning, atomically]), 5],
  [stepPrograms('testing/three sleepers', 3, 2, [atomically, waiting(Infinity), notifying]), 5],
  [stepPrograms('testing/three time-outs', 3, 2, [waiting(5), notifying], { timeouts: 'any' }), 5],
  [stepPrograms('testing/three event loops', 3, 2, [turning, notifying]), 5],
];

/** Threads look a scenario up among what its module exports. */
export const [plain, guarded, histories, last, any, loops, retries, spins, sleepers3, timeouts3, loops3] = stepped.map(
  ([each]): Scenario => each,
);
