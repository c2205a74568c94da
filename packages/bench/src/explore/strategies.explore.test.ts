// The searches against one another, on random programs.
import { expect, test } from 'vitest';
import { exploreScenario } from './explore.ts';
import type { ExploreResult } from './result.ts';
import type { Scenario } from './scenario.ts';
import { sleepers, stepped, threeThreads, twoThreads } from './testing/programs.ts';
import { wideStepped } from './testing/wide-programs.ts';

const EVERYTHING = 99; // preemptions: more than any program has steps
const unchecked = { checked: false } as const;

/** Every second program, for time; all of them with FAULTLINE_ALL_PROGRAMS. */
const STRIDE: number = process.env.FAULTLINE_ALL_PROGRAMS === undefined ? 2 : 1;

function ends({ outcomes }: ExploreResult): string[] {
  return outcomes.filter(({ count }) => count > 0).map(({ name }) => name);
}

/** Programs from a start that changes from day to day would not replay: they are fixed, and there are many. */
test.each([
  ['two threads', twoThreads, 1, 30],
  ['threads that sleep', sleepers, 1, 40],
  ['three threads', threeThreads, 1, 3],
] as const)(
  '%s: reduced, the search sees the same ends as the whole one',
  { timeout: 120_000 },
  async (_, programs, from, to) => {
    let whole = 0;
    let reduced = 0;
    for (let program = from; program <= to; program++) {
      const design = `${program}`;
      const strategy = { kind: 'bounded', preemptions: EVERYTHING } as const;
      const every = await exploreScenario(programs, { ...unchecked, design, strategy });
      const some = await exploreScenario(programs, { ...unchecked, design });
      expect(some.finding?.kind, `program ${program}`).toBe(every.finding?.kind);
      if (every.finding === undefined) expect(ends(some), `program ${program}`).toEqual(ends(every));
      whole += every.schedules;
      reduced += some.schedules + some.redundant;
    }
    expect(reduced).toBeLessThan(whole / 2);
  },
);

test.each([...stepped, ...wideStepped].map(([programs, count]) => [programs.spec.name, programs, count] as const))(
  '%s: reduced, the search sees the same ends as the whole one',
  { timeout: 120_000 },
  async (_, programs, count) => {
    let compared = 0;
    for (let program = 1; program <= count; program += STRIDE) {
      const design = `${program}`;
      const strategy = { kind: 'bounded', preemptions: EVERYTHING } as const;
      const every = await exploreScenario(programs, { design, strategy });
      const some = await exploreScenario(programs, { design });
      expect(some.finding === undefined, `program ${program}: ${every.finding?.kind}, ${some.finding?.kind}`).toBe(
        every.finding === undefined,
      );
      if (every.finding !== undefined) continue;
      compared++;
      expect(ends(some), `program ${program}`).toEqual(ends(every));
      expect(some.exhausted, `program ${program}`).toBe(true);
    }
    expect(compared).toBeGreaterThan(0);
  },
);

const program: Scenario = twoThreads;
const design = '3';

test.each([
  ['random', { kind: 'random', seed: 5 }],
  ['priorities', { kind: 'pct', depth: 3, seed: 5 }],
  ['two preemptions', { kind: 'bounded', preemptions: 2 }],
] as const)('%s: sees only ends that there are', async (_, strategy) => {
  const every = ends(await exploreScenario(program, { ...unchecked, design }));
  const result = await exploreScenario(program, { ...unchecked, design, strategy, bounds: { schedules: 2_000 } });
  expect(every).toEqual(expect.arrayContaining(ends(result)));
  expect(result.exhausted).toBe(false);
  expect(result.bound).not.toBe('');
});

test('random sees all of them in time', async () => {
  const every = ends(await exploreScenario(program, { ...unchecked, design }));
  const strategy = { kind: 'random', seed: 7 } as const;
  const result = await exploreScenario(program, { ...unchecked, design, strategy, bounds: { schedules: 20_000 } });
  expect(ends(result)).toEqual(every);
  expect(result).toMatchObject({ schedules: 20_000, endedBy: 'schedules', bound: '20000 schedules' });
});

test.each([
  ['reduced', { kind: 'dpor' }],
  ['bounded', { kind: 'bounded', preemptions: 3 }],
  ['random', { kind: 'random', seed: 3 }],
] as const)('%s: stopped and resumed, it comes to the same', async (_, strategy) => {
  const most = strategy.kind === 'random' ? 3_000 : 100_000;
  const whole = await exploreScenario(program, { ...unchecked, design, strategy, bounds: { schedules: most } });
  const quarter = Math.ceil(whole.schedules / 4);
  let last = await exploreScenario(program, { ...unchecked, design, strategy, bounds: { schedules: quarter } });
  while (last.resume !== '' && last.schedules < most)
    last = await exploreScenario(program, {
      ...unchecked,
      design,
      resume: last.resume,
      bounds: { schedules: Math.min(quarter, most - last.schedules) },
    });
  expect(last.schedules).toBe(whole.schedules);
  expect(last.endedBy).toBe(whole.endedBy);
  expect(last.outcomes).toEqual(whole.outcomes);
});

test('an interrupted exploration says how to go on', async () => {
  const abort = new AbortController();
  const strategy = { kind: 'random', seed: 1 } as const;
  const result = await exploreScenario(program, {
    ...unchecked,
    design,
    strategy,
    bounds: { schedules: 2 ** 30 },
    signal: abort.signal,
    onProgress: ({ schedules }) => {
      if (schedules > 0) abort.abort();
    },
  });
  expect(result).toMatchObject({ endedBy: 'interrupted', finding: undefined, exhausted: false });
  expect(result.resume).toMatch(/^r1:/);
});

test.each([
  ['r1:garbage', /damaged/],
  ['nonsense', /must start with r1:/],
])('a resume word that is none is refused: %s', async (resume, why) => {
  await expect(exploreScenario(program, { design, resume })).rejects.toThrow(why);
});
