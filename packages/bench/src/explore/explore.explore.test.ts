import { expect, test } from 'vitest';
import { exploreScenario, replay } from './explore.ts';
import type { Scenario } from './scenario.ts';
import * as all from './testing/findings.ts';

const once = (scenario: Scenario) => exploreScenario(scenario);

test.each([
  ['check', all.lostUpdate, /counted 1, not 2/],
  ['unbalanced books', all.books, /counted: 1, not 2/],
  ['forbidden outcome', all.forbidden, /counted 1/],
  ['exception', all.exception, /bob: RangeError: the flag is up/],
  ['data race', all.dataRace, /^other: plain write by alice, plain (read|write) by bob/],
  ['lost wake-up', all.lostWakeUp, /asleep for ever: sleeper on flag/],
  ['deadlock', all.deadlock, /alice on other .*bob on flag/],
  ['deadlock', all.sleeperAndSpinner, /sleeper on flag .*spinner on other/],
  ['livelock', all.livelock, /bob: no progress/],
  ['livelock', all.busyLivelock, /bob: no progress/],
  ['use after free', all.useAfterFree, /atomic write of a freed object: freed by owner/],
  ['nondeterminism', all.nondeterminism, /the same schedule made different operations/],
  ['lost wake-up', all.asleepOnTheEventLoop, /asleep for ever: bob on flag/],
  ['lost wake-up', all.timeoutsNever, /asleep for ever: bob on flag/],
] as const)('finds a %s', async (kind, scenario, message) => {
  const { finding, endedBy } = await once(scenario);
  expect(endedBy).toBe('finding');
  expect(finding?.kind).toBe(kind);
  expect(finding?.message).toMatch(message);
});

test.each([all.published, all.racy, all.spinLoop, all.spinAfterLook, all.spinOverTwo, all.eventLoops, all.timeoutsAny])(
  'finds nothing where there is nothing: %#',
  async (scenario) => {
    const result = await once(scenario);
    expect(result.finding).toBeUndefined();
    expect(result).toMatchObject({ endedBy: 'exhausted', exhausted: true, bound: '', resume: '' });
    expect(result.schedules).toBeGreaterThan(1);
  },
);

test('a plain access that may race is explored as a step', async () => {
  const { outcomes } = await once(all.racy);
  expect(outcomes.map(({ name, count }) => [name, count > 0])).toEqual([
    ['read 0', true],
    ['read 1', true],
  ]);
});

test('a time-out fires last, or at any moment', async () => {
  const ends = async (scenario: Scenario) =>
    (await once(scenario)).outcomes.filter(({ count }) => count > 0).map(({ name }) => name);
  expect(await ends(all.timeoutsLast)).toEqual(['511']); // five virtual milliseconds later, when all else is done
  expect(await ends(all.timeoutsAny)).toEqual(['10', '11']);
});

test.each([
  [all.refusedRandom, /Math\.random was used: take the context's `random`/],
  [all.refusedDate, /Date\.now was used/],
  [all.refusedNow, /performance\.now was used/],
  [all.refusedTimer, /setTimeout was used/],
  [all.refusedMemory, /a SharedArrayBuffer that the scenario did not declare/],
  [all.refusedView, /Uint8Array over the scenario's memory/],
  [all.refusedSetup, /setup: Error: no such region/],
] as const)('refuses by name: %#', async (scenario, message) => {
  await expect(once(scenario)).rejects.toThrow(message);
  await expect(once(scenario)).rejects.toThrow(scenario.spec.name);
});

test('says which scenario never ends', { timeout: 30_000 }, async () => {
  await expect(once(all.refusedLoop)).rejects.toThrow(/refused\/a loop that never ends: never ends: after step 0/);
});

test('a finding is shown step by step, with a switch no more than it needs', async () => {
  const { finding } = await once(all.lostUpdate);
  expect(finding?.steps.map(({ thread, kind, object, effect, why }) => [thread, kind, object, effect, why])).toEqual([
    [0, 'load', 'flag', '= 0', 'start'],
    [1, 'load', 'flag', '= 0', 'preempted'],
    [1, 'store', 'flag', '0 → 1', ''],
    [1, 'end', '', '', ''],
    [0, 'store', 'flag', '1 → 1', 'ended'],
    [0, 'end', '', '', ''],
  ]);
  expect(finding?.steps[0].stack[0]).toMatch(/explore\/testing\/findings\.ts:\d+/);
  expect(finding?.switches).toBe(2);
});

test('both accesses of a race are shown with their stacks', async () => {
  const { finding } = await once(all.dataRace);
  expect(finding?.race?.map(({ thread }) => thread)).toEqual(['alice', 'bob']);
  for (const access of finding?.race ?? []) expect(access.stack[0]).toMatch(/findings\.ts:\d+/);
});

test('a token replays what was found, the same each time', async () => {
  const { finding } = await once(all.lostWakeUp);
  const again = await once(all.lostWakeUp);
  expect(again.finding?.token).toBe(finding?.token);
  const replayed = await replay(all.lostWakeUp, finding?.token ?? '');
  expect(replayed).toMatchObject({ divergedAt: -1, same: true });
  expect(replayed.finding?.kind).toBe('lost wake-up');
  expect(replayed.finding?.steps).toEqual(finding?.steps);
});

test('the same schedule on other code says where it no longer fits', async () => {
  const { finding } = await once(all.lostUpdate);
  const patches = [
    {
      module: 'explore/testing/findings.ts',
      find: "Atomics.store(words, at('flag'), Atomics.load(words, at('flag')) + 1);",
      replace: "Atomics.add(words, at('flag'), 1);",
    },
  ];
  const mended = await replay(all.lostUpdate, finding?.token ?? '', { patches });
  expect(mended).toMatchObject({ finding: undefined, same: false });
});

test('a replay that is aborted ends at once, with the reason', { timeout: 20_000 }, async () => {
  const { finding } = await once(all.lostUpdate);
  const token = finding?.token ?? '';
  const reason = new Error('no longer wanted');
  await expect(replay(all.lostUpdate, token, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  // A thread that computes for ever makes no operation at which to stop: it is ended all the same.
  const patches = [
    {
      module: 'explore/testing/findings.ts',
      find: "Atomics.store(words, at('flag'), Atomics.load(words, at('flag')) + 1);",
      replace: 'for (;;);',
    },
  ];
  const abort = new AbortController();
  const start = performance.now();
  setTimeout(() => abort.abort(reason), 500);
  await expect(replay(all.lostUpdate, token, { patches, signal: abort.signal })).rejects.toBe(reason);
  expect(performance.now() - start).toBeLessThan(4_000); // before the silence is noticed
});

test('a patch that fits nowhere is refused', async () => {
  const patches = [{ module: 'explore/testing/findings.ts', find: 'nowhere to be found', replace: '' }];
  await expect(exploreScenario(all.lostUpdate, { patches })).rejects.toThrow(/occurs 0 times/);
});
