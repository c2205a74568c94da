// What the checker could be wrong about: sound verdicts that are not, and false alarms.
import { expect, test } from 'vitest';
import { exploreScenario } from './explore.ts';
import type { ExploreResult } from './result.ts';
import type { Scenario } from './scenario.ts';
import * as all from './testing/suspects.ts';

const seen = ({ outcomes }: ExploreResult): string[] =>
  outcomes.filter(({ count }) => count > 0).map(({ name }) => name);
const allOf = (scenario: Scenario): string[] => Object.keys(scenario.spec.outcomes ?? {});

test.each([
  all.givesUp,
  all.givesUpAlone,
  all.looksOften,
  all.notifiesUntilHeard,
  all.tiedTimeouts,
  all.clocks,
  all.asksOnly,
  all.twoPromises,
  all.turnOrNotify,
  all.looksApart,
  all.racyFill,
  all.looksThenSpins,
  all.draws,
  all.opensInOrder,
])('sees every end, and is done: $spec.name', async (scenario) => {
  const result = await exploreScenario(scenario);
  expect(result.finding).toBeUndefined();
  expect(seen(result)).toEqual(allOf(scenario));
  expect(result).toMatchObject({ endedBy: 'exhausted', exhausted: true, bound: '' });
});

test.each([
  [all.sorts, 'data race'],
  [all.viewByConstructor, 'data race'],
  [all.earlierAtomicWrite, 'data race'],
  [all.racyState, 'data race'],
  [all.twoStates, 'use after free'],
  [all.statefulResult, 'nondeterminism'],
  [all.statefulPlainWrite, 'nondeterminism'],
  [all.mapOrder, 'nondeterminism'],
  [all.breaksOnce, 'nondeterminism'],
] as const)('finds what a careless look would miss: %#', async (scenario, kind) => {
  const { finding } = await exploreScenario(scenario);
  expect(finding?.kind).toBe(kind);
});

test.each([
  [all.viewUint32, /Uint32Array over the scenario's memory/],
  [all.viewFloat16, /Float16Array over the scenario's memory/],
  [all.viewBuffer, /Buffer.* over the scenario's memory/],
  [all.asyncTimeout, /waitAsync with a time-out/],
  [all.tooManyWaiters, /more than 64 waiters/],
  [all.tooManyOperations, /more than 64 operations/],
  [all.tooManyOutcomes, /more than 64 outcomes/],
] as const)('refuses by name: %#', async (scenario, message) => {
  await expect(exploreScenario(scenario)).rejects.toThrow(message);
  await expect(exploreScenario(scenario)).rejects.toThrow(scenario.spec.name);
});
