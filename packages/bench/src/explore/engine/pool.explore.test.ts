// Threads that go from exploration to exploration: each finds what it would find in threads of its own.
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exploreScenario, replay } from '../explore.ts';
import { designsOf, type Scenario } from '../scenario.ts';
import { dataRace, lostWakeUp, useAfterFree } from '../testing/findings.ts';
import * as leftovers from '../testing/leftovers.ts';
import { sleepers, threeThreads, twoThreads } from '../testing/programs.ts';
import { deadlockOrLost } from '../testing/suspects.ts';
import { wideStepped } from '../testing/wide-programs.ts';
import { STRATEGY_BOUNDED, STRATEGY_DPOR, STRATEGY_PCT, STRATEGY_RANDOM } from './control.layout.ts';
import { Crew } from './crew.ts';
import { endIdleThreads } from './pool.ts';

let started: Worker[] = [];
const count = (worker: Worker): void => void started.push(worker);
beforeEach(async () => {
  await endIdleThreads();
  started = [];
  process.on('worker', count);
});
afterEach(() => void process.off('worker', count));

const STRATEGIES = [STRATEGY_RANDOM, STRATEGY_PCT, STRATEGY_BOUNDED, STRATEGY_DPOR] as const;
const PROGRAMS = [twoThreads, threeThreads, sleepers, deadlockOrLost, wideStepped[0][0]] as const;

/** What a session of each strategy did, to the last operation. */
async function run(scenario: Scenario, seed: number): Promise<unknown[]> {
  const [design] = Object.keys(designsOf(scenario.spec));
  const crew = await Crew.open(scenario, { design, checked: true, maxSteps: 500, patches: [] });
  const did: unknown[] = [crew.digest];
  try {
    for (const strategy of STRATEGIES) {
      const end = await crew.session({ strategy, parameter: 3, seed, limit: 100 });
      did.push({ strategy, end, counts: crew.counts(), search: crew.saveSearch() });
    }
    return did;
  } finally {
    await crew.close();
  }
}

test('the same seed, the same schedules: in new threads, in those of the scenario itself, in those of others', {
  timeout: 30_000,
}, async () => {
  const anew: unknown[][] = [];
  for (const program of PROGRAMS) {
    await endIdleThreads();
    anew.push(await run(program, 5));
  }
  started = [];
  for (const [i, program] of PROGRAMS.entries())
    for (let time = 0; time < 2; time++) expect(await run(program, 5), program.spec.name).toEqual(anew[i]);
  expect(started.length).toBeLessThanOrEqual(3); // as many as the largest has
  expect((await run(twoThreads, 6))[1]).not.toEqual(anew[0][1]);
});

test.each([lostWakeUp, dataRace, useAfterFree])('the same finding, step by step: %#', async (scenario) => {
  const { finding } = await exploreScenario(scenario);
  const workers = started.length;
  const again = await exploreScenario(scenario);
  expect(again.finding).toEqual(finding);
  const replayed = await replay(scenario, finding?.token ?? '');
  expect(replayed.finding).toMatchObject({ steps: finding?.steps });
  expect(started.length).toBe(workers);
});

test('what a module keeps, the next exploration does not find', async () => {
  for (let time = 0; time < 3; time++) {
    const { finding, outcomes } = await exploreScenario(leftovers.inModule);
    expect(finding).toBeUndefined();
    expect(outcomes[0].count).toBeGreaterThan(0);
  }
  expect(started.length).toBe(2);
});

test.each([leftovers.inTimer, leftovers.inGlobal])(
  'threads in which something stays are ended: %#',
  async (scenario) => {
    await exploreScenario(scenario);
    await exploreScenario(twoThreads);
    expect(started.length).toBeGreaterThan(2);
  },
);

test('threads that nobody takes end by themselves', async () => {
  await exploreScenario(leftovers.inModule);
  await Promise.all(started.map((worker) => once(worker, 'exit')));
});
