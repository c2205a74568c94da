// Random programs over words of both sizes.
import type { CheckContext, Region, Scenario, ThreadContext } from '../scenario.ts';
import { atomically, endOf, plainly, type Step, stepPrograms, WORDS } from './programs.ts';

const memory: readonly Region[] = [
  { name: 'wide words', words: WORDS, wide: true },
  { name: 'words', words: WORDS },
  { name: 'wide objects', words: 8, wide: true },
];

/** Differ in one half, in both, or in the bits that a hash of 32 would lose: the last has the fold of 0. */
const VALUES: readonly bigint[] = [0n, 1n, 2n ** 32n, 2n ** 63n, 0x1_85eb_ca6bn];

const anyValue = (draw: (below: number) => number): bigint => VALUES[draw(VALUES.length)];
const wordOf = ({ at }: ThreadContext, draw: (below: number) => number): number => at('wide words') + draw(WORDS);
/** Tells values apart in 32 bits. */
const digest = (value: bigint): number => Number(BigInt.asIntN(32, value ^ (value >> 29n)));

const widely: Step = ({ wide, ...context }, draw, seen) => {
  const word = wordOf({ wide, ...context }, draw);
  const value = anyValue(draw);
  const note = (found: bigint): number => (seen * 5 + digest(found)) | 0;
  switch (draw(6)) {
    case 0:
      return note(Atomics.load(wide, word));
    case 1:
      return note(Atomics.store(wide, word, value));
    case 2:
      return note(Atomics.add(wide, word, 2n ** 31n));
    case 3:
      return note(Atomics.or(wide, word, value));
    case 4:
      return note(Atomics.exchange(wide, word, value));
    default:
      return note(Atomics.compareExchange(wide, word, value, anyValue(draw)));
  }
};
const widelyAndPlainly: Step = (context, draw, seen) => {
  const word = wordOf(context, draw);
  if (draw(2) === 0) return (seen * 5 + digest(context.wide[word])) | 0;
  context.wide[word] = anyValue(draw);
  return seen;
};
const widelyRetrying: Step = (context, draw, seen) => {
  const word = wordOf(context, draw);
  const most = 1 + draw(5);
  let tries = 0;
  while (tries < most && Atomics.load(context.wide, word) === 0n) tries++;
  return seen * 7 + tries;
};
const widelySpinning: Step = (context, draw, seen) => {
  const word = wordOf(context, draw);
  for (;;) {
    const found = Atomics.load(context.wide, word);
    if (found !== 0n) return (seen * 5 + digest(found)) | 0;
  }
};
const widelyTouching: Step = (context, draw, seen) => {
  context.wide[context.at('wide objects') + context.self.id] = anyValue(draw); // each its own: the guard says whether it may
  return seen;
};

function check({ words, wide, at, results }: CheckContext): string {
  let hash = words[at('words')] * 31 + words[at('words') + 1];
  for (let i = 0; i < WORDS; i++) hash = Math.imul(hash, 31) + digest(wide[at('wide words') + i]);
  return endOf(results, hash);
}

function here(
  name: string,
  threads: number,
  length: number,
  steps: readonly Step[],
  spec: Parameters<typeof stepPrograms>[4] = {},
): Scenario {
  const made = stepPrograms(`testing/wide: ${name}`, threads, length, steps, { memory, check, ...spec });
  return { ...made, url: import.meta.url };
}

const racy = [
  { region: 'words', why: 'the programs race' },
  { region: 'wide words', why: 'the programs race' },
];

export const wideStepped: readonly (readonly [scenario: Scenario, programs: number])[] = [
  [here('both sizes', 2, 4, [widely, atomically, widely]), 12],
  [here('plain and racy', 2, 4, [widely, plainly, widelyAndPlainly], { racy }), 6],
  [
    here('guarded', 2, 4, [widely, atomically, widelyTouching], {
      racy,
      guard:
        ({ wide, words, at }) =>
        (word, isWide) =>
          isWide && word >= at('wide objects') && Atomics.load(wide, at('wide words')) > 0n && words[at('words')] === 1
            ? 'freed'
            : undefined,
    }),
    6,
  ],
  [here('retries', 2, 3, [widely, widelyRetrying]), 6],
  [here('spins', 2, 3, [widely, widelySpinning, atomically]), 6],
  [here('three threads', 3, 2, [widely, atomically]), 5],
];

/** Threads look a scenario up among what its module exports. */
export const [bothSizes, plain, guarded, retries, spins, threeThreads] = wideStepped.map(([each]): Scenario => each);
