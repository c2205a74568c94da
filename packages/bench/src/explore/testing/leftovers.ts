// Scenarios that leave something behind in their threads: what comes after must not find it.
import { type AnyThread, type Scenario, scenario } from '../scenario.ts';

let kept = 0;
const add: AnyThread = { run: ({ words, at }) => Atomics.add(words, at('word'), 1) };
const common = {
  about: 'Does the next scenario find what this one leaves?',
  source: 'explore/testing/leftovers.ts',
  memory: [{ name: 'word', words: 1 }],
  threads: { alice: add, bob: add },
} as const;

/** In a module: a count of its set-ups, which is the outcome. */
export const inModule: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'leftovers/in a module',
  setup: ({ words, at }) => {
    words[at('word')] = ++kept;
  },
  check: ({ words, at }) => String(words[at('word')] - 2),
  outcomes: { 1: 'acceptable' },
});

export const inTimer: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'leftovers/a timer',
  setup: () => void setTimeout(() => undefined, 0),
});

export const inGlobal: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'leftovers/a global',
  setup: () => void Reflect.set(globalThis, 'leftover', 1),
});
