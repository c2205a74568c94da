// Threads that end, throw or stay away, words that were changed on their way, bounds that are none: each is told by name.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { exploreScenario, replay } from './explore.ts';
import type { Scenario } from './scenario.ts';
import { lostUpdate } from './testing/findings.ts';
import * as all from './testing/misbehaving.ts';
import { twoThreads } from './testing/programs.ts';
import { deadlockOrLost, twoOutcomes } from './testing/suspects.ts';

test.each([
  [all.exits, /exits: thread 'alice' ended by itself, with exit code 3/],
  [all.throwsLater, /throws later: thread 'alice' threw outside its run: too late/],
  [all.rejectsLater, /rejects later: outside a thread: Error: nobody listens/],
  [all.none, /0 threads; 1 to 8/],
  [all.nine, /9 threads; 1 to 8/],
  [all.sameNames, /two regions are named 'word'/],
  [all.tooLarge, /region 'word' of 8388608 words does not fit/],
  [all.unknownRacy, /racy names no region of its memory: 'elsewhere'/],
] as const)('is refused by name: %#', async (scenario, message) => {
  await expect(exploreScenario(scenario, { bounds: { seconds: 10 } })).rejects.toThrow(message);
});

test.each([all.one, all.eight])('as many threads as may be: %#', async (scenario) => {
  const result = await exploreScenario(scenario);
  expect(result).toMatchObject({ finding: undefined, exhausted: true, schedules: 1 });
});

test('a result that is no whole number is told', async () => {
  const { finding } = await exploreScenario(all.returnsFraction);
  expect(finding).toMatchObject({ kind: 'exception', message: expect.stringContaining('alice returned 2.5') });
});

async function fileScenario(
  value: number | string,
): Promise<{ scenario: Scenario; write(value: number | string): Promise<void>; gone(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'explore-'));
  const path = join(folder, 'counter.ts');
  const spec = {
    name: 'counter',
    about: 'Which text is run?',
    source: path,
    memory: [{ name: 'word', words: 1 }],
    outcomes: { 1: 'acceptable', 2: 'acceptable' },
  } as const;
  const write = (given: number | string): Promise<void> =>
    writeFile(
      path,
      `const step = { run: ({ words, at }: any) => { for (let i = 0; i < 4; i++) Atomics.add(words, at('word'), ${given}); } };
export const counter = { spec: { ...${JSON.stringify(spec)}, threads: { a: step, b: step },
  check: ({ words, at }: any) => String(words[at('word')] / 8) } };`,
    );
  await write(value);
  const scenario = {
    url: pathToFileURL(path).href,
    spec: { ...spec, threads: { a: { run: () => undefined }, b: { run: () => undefined } } },
  } as const;
  return { scenario, write, gone: () => rm(folder, { recursive: true }) };
}

test('a module that has changed is loaded anew, and a search of the old one does not go on', async () => {
  const { scenario, write, gone } = await fileScenario(1);
  const begun = await exploreScenario(scenario, { bounds: { schedules: 3 } });
  expect(begun.outcomes.map(({ count }) => count)).toEqual([3, 0]);
  const goneOn = await exploreScenario(scenario, { bounds: { schedules: 3 }, resume: begun.resume });
  expect(goneOn.schedules).toBe(6);
  await write(2);
  const anew = await exploreScenario(scenario, { bounds: { schedules: 3 } });
  expect(anew.outcomes.map(({ count }) => count)).toEqual([0, 3]);
  await expect(exploreScenario(scenario, { resume: begun.resume })).rejects.toThrow(/the code has changed since/);
  await gone();
});

test('a module that never loads is told', { timeout: 40_000 }, async () => {
  const { scenario, gone } = await fileScenario(
    '1); } }; await new Promise(() => undefined); const other = { run: () => { Number(0',
  );
  await expect(exploreScenario(scenario)).rejects.toThrow(/counter: thread '.' ended by itself, with exit code/);
  await gone();
});

test('a resume word with any letter changed is refused', async () => {
  const design = '3';
  const { resume } = await exploreScenario(twoThreads, { design, checked: false, bounds: { schedules: 5 } });
  const other = { design: '4', resume };
  await expect(exploreScenario(twoThreads, other)).rejects.toThrow(/not of testing\/two threads, design '4'/);
  await expect(exploreScenario(twoThreads, { design, resume, checked: true })).rejects.toThrow(
    /begun with checked false/,
  );
  await expect(exploreScenario(twoThreads, { design, resume, bounds: { steps: 7 } })).rejects.toThrow(
    /begun with bounds.steps/,
  );
  for (let at = 0; at < resume.length; at += 3) {
    const changed = resume.slice(0, at) + (resume[at] === 'A' ? 'B' : 'A') + resume.slice(at + 1);
    await expect(exploreScenario(twoThreads, { design, resume: changed }), `${at}`).rejects.toThrow(/^resume: /);
  }
});

test.each([
  [{ schedules: 0 }, /bounds.schedules must be at least 1, got 0/],
  [{ schedules: NaN }, /bounds.schedules/],
  [{ seconds: -1 }, /bounds.seconds must be more than 0/],
  [{ steps: 0 }, /bounds.steps must be a whole number/],
  [{ steps: 1.5 }, /bounds.steps must be a whole number/],
])('a bound that is none is refused: %o', async (bounds, message) => {
  await expect(exploreScenario(twoThreads, { bounds })).rejects.toThrow(message);
});

test('a bound past the counters is no bound of a few', async () => {
  const result = await exploreScenario(twoThreads, { design: '3', bounds: { schedules: 5e9 } });
  expect(result).toMatchObject({ endedBy: 'exhausted', exhausted: true });
});

test('a token longer than any schedule is refused', async () => {
  const { finding } = await exploreScenario(lostUpdate);
  const { encodeToken } = await import('./report/token.ts');
  const token = encodeToken(lostUpdate.spec.name, 'broken', [[0, 10 ** 12]], 1);
  await expect(replay(lostUpdate, token)).rejects.toThrow(/the token is of 1000000000000 steps/);
  const strangers = encodeToken(lostUpdate.spec.name, 'broken', [[7, 3]], 1);
  expect(await replay(lostUpdate, strangers)).toMatchObject({ divergedAt: 0, same: false });
  expect(finding?.kind).toBe('check');
});

test.each([
  [deadlockOrLost, 'deadlock'],
  [twoOutcomes, 'forbidden outcome'],
] as const)('minimised, it still breaks the same: %#', async (scenario, kind) => {
  for (let seed = 1; seed <= 6; seed++) {
    const strategy = { kind: 'random', seed } as const;
    const { finding } = await exploreScenario(scenario, { strategy });
    if (finding === undefined) throw new Error('found nothing');
    expect(finding.switches).toBeLessThanOrEqual(finding.foundSwitches);
    const again = await replay(scenario, finding.token);
    expect(again).toMatchObject({ divergedAt: -1, same: true });
    expect(again.finding?.message).toBe(finding.message);
    expect(again.finding?.kind).toBe(finding.kind);
    if (kind === 'deadlock') expect(['deadlock', 'lost wake-up']).toContain(finding.kind);
    else expect(finding.kind).toBe(kind);
  }
});
