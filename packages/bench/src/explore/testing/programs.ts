// Small random programs: what the searches are held against one another on. The design's name says which.
import { type Scenario, scenario, type ThreadContext, type ThreadSpec } from '../scenario.ts';

const WORDS = 2;
const BUCKETS = 64;

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
    check({ words, at, results }) {
      let hash = words[at('words')] * 31 + words[at('words') + 1];
      for (const result of Object.values(results)) hash = Math.imul(hash ^ result, 0x01000193);
      return `end ${(hash >>> 7) % BUCKETS}`;
    },
    spins: 100,
  });
}

export const COUNT = 400;
export const twoThreads: Scenario = programs('testing/two threads', ['alice', 'bob'], false, COUNT);
export const threeThreads: Scenario = programs('testing/three threads', ['alice', 'bob', 'carol'], false, COUNT);
export const sleepers: Scenario = programs('testing/sleepers', ['alice', 'bob'], true, COUNT);
