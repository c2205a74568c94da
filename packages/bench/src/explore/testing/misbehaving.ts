// Scenarios whose threads do not keep to what a thread is: what the main thread makes of them.
import { type AnyThread, type Scenario, scenario } from '../scenario.ts';

const nothing: AnyThread = { run: () => undefined };
const common = {
  about: 'Is it told by name?',
  source: 'explore/testing/misbehaving.ts',
  memory: [{ name: 'word', words: 1 }],
} as const;

const named = (name: string, run: () => unknown): Scenario =>
  scenario(import.meta.url, { ...common, name: `misbehaving/${name}`, threads: { alice: { run }, bob: nothing } });

export const exits: Scenario = named('exits', () => process.exit(3));
export const throwsLater: Scenario = named('throws later', () =>
  process.nextTick(() => {
    throw new Error('too late');
  }),
);
export const rejectsLater: Scenario = named('rejects later', () => void Promise.reject(new Error('nobody listens')));
export const returnsFraction: Scenario = named('returns a fraction', () => 2.5);

const threads = (count: number): Scenario =>
  scenario(import.meta.url, {
    ...common,
    name: `misbehaving/${count} threads`,
    threads: Object.fromEntries(
      Array.from({ length: count }, (_, i): [string, AnyThread] => [
        `t${i}`,
        { run: ({ words, at }) => Atomics.load(words, at('word')) },
      ]),
    ),
  });
export const none: Scenario = threads(0);
export const one: Scenario = threads(1);
export const eight: Scenario = threads(8);
export const nine: Scenario = threads(9);

export const sameNames: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'misbehaving/same names',
  memory: [
    { name: 'word', words: 1 },
    { name: 'word', words: 1 },
  ],
  threads: { alice: nothing },
});
export const tooLarge: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'misbehaving/too large',
  memory: [{ name: 'word', words: 2 ** 23 }],
  threads: { alice: nothing },
});
export const unknownRacy: Scenario = scenario(import.meta.url, {
  ...common,
  name: 'misbehaving/unknown racy',
  racy: [{ region: 'elsewhere', why: 'tested' }],
  threads: { alice: nothing },
});
