// 64-bit words: found, held, shown, replayed and refused as 32-bit ones are.
import { expect, test } from 'vitest';
import { exploreScenario, replay } from './explore.ts';
import { litmus } from './litmus/litmus.ts';
import type { Scenario } from './scenario.ts';
import * as all from './testing/wide.ts';
import * as folds from './testing/wide-folds.ts';

test.each([
  ['check', all.lostUpdate, /counted 1, not 2/],
  ['check', all.install, /2 installed theirs/],
  ['data race', all.dataRace, /^tables\[1\]\.FIRST: plain write by alice, plain (read|write) by bob/],
  ['data race', all.viewByConstructor, /^tables\[0\]\.LAST: plain write by alice, plain write by bob/],
  ['data race', all.publishedPlainly, /^entry: plain write by alice, atomic read by bob/],
  ['use after free', all.freedWide, /plain write of a freed object: freed/],
  ['use after free', all.freedByWide, /atomic write of a freed object: freed/],
  ['livelock', all.livelock, /bob: no progress/],
  ['exception', all.mixed, /alice: TypeError: Cannot convert 1 to a BigInt/],
] as const)('finds a %s: %#', async (kind, scenario, message) => {
  const { finding } = await exploreScenario(scenario);
  expect(finding?.kind).toBe(kind);
  expect(finding?.message).toMatch(message);
});

const atOnce = { design: 'compare-exchange' } as const;

test.each<[Scenario, { readonly design?: string }]>([
  [all.lostUpdate, atOnce],
  [all.install, atOnce],
  [all.published, {}],
  [all.racy, {}],
  [all.places, {}],
  ...Object.values(folds).map((each): [Scenario, object] => [each, {}]),
])('finds nothing where there is nothing, and sees every end: %#', async (scenario, options) => {
  const result = await exploreScenario(scenario, options);
  expect(result.finding).toBeUndefined();
  expect(result).toMatchObject({ endedBy: 'exhausted', exhausted: true, bound: '' });
  for (const { name, count } of result.outcomes) expect(count, name).toBeGreaterThan(0);
});

test('a finding names the words, and shows all their bits', async () => {
  const { finding } = await exploreScenario(all.lostUpdate);
  expect(finding?.steps.map(({ thread, kind, object, effect }) => [thread, kind, object, effect])).toEqual([
    [0, 'load', 'entry', '= 0x8000000000000000'],
    [1, 'load', 'entry', '= 0x8000000000000000'],
    [1, 'store', 'entry', '0x8000000000000000 → 0x8000000100000000'],
    [1, 'end', '', ''],
    [0, 'store', 'entry', '0x8000000100000000 → 0x8000000100000000'],
    [0, 'end', '', ''],
  ]);
  const installed = await exploreScenario(all.install);
  expect(installed.finding?.steps.map(({ object, effect }) => `${object} ${effect}`)).toContain(
    'tables[0].LAST 0x100002003 → 0x1003',
  );
});

test.each([all.lostUpdate, all.dataRace, all.freedWide])('a token replays what was found: %#', async (scenario) => {
  const { finding } = await exploreScenario(scenario);
  const replayed = await replay(scenario, finding?.token ?? '');
  expect(replayed).toMatchObject({ divergedAt: -1, same: true });
  expect(replayed.finding).toMatchObject({ kind: finding?.kind, message: finding?.message, steps: finding?.steps });
});

test.each([
  [all.refusedInt32, /Int32Array over the scenario's memory: its elements are 64-bit words/],
  [all.refusedUnsigned, /BigUint64Array over the scenario's memory: its elements are 64-bit words/],
  [all.refusedDataView, /DataView over the scenario's memory: its elements are 64-bit words/],
  [all.refusedBuffer, /Buffer over the scenario's memory: its elements are 64-bit words/],
  [all.refusedWide, /BigInt64Array over the scenario's memory: its elements are 32-bit words/],
  [all.refusedWait, /Atomics\.wait on the scenario's 64-bit memory/],
  [all.refusedWaitAsync, /Atomics\.waitAsync on the scenario's 64-bit memory/],
  [all.refusedNotify, /Atomics\.notify on the scenario's 64-bit memory/],
] as const)('refuses by name: %#', async (scenario, message) => {
  await expect(exploreScenario(scenario)).rejects.toThrow(message);
  await expect(exploreScenario(scenario)).rejects.toThrow(scenario.spec.name);
});

test.each<[Scenario, { readonly design?: string }]>([
  [all.lostUpdate, atOnce],
  [all.published, {}],
])('what holds, holds on real threads: %#', async (scenario, options) => {
  const result = await litmus(scenario, { ...options, iterations: 500, seconds: 20 });
  expect(result).toMatchObject({ iterations: 500, violations: 0, sample: '', hung: false });
});
