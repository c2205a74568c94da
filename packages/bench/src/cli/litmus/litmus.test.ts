import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { LitmusOptions as Asked, LitmusResult } from '../../explore/litmus/litmus.ts';
import { type Scenario, scenario } from '../../explore/scenario.ts';
import { UsageError } from '../request.ts';
import { runLitmus } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-litmus-'));
afterAll(() => rmSync(folder, { recursive: true }));

const asked: Scenario = scenario(import.meta.url, {
  name: 'a/one',
  about: '?',
  source: '',
  designs: { bad: 'fails', good: 'holds' },
  memory: [],
  threads: {},
});

async function run(names: string[], options: Partial<Parameters<typeof runLitmus>[1]>, breaks: readonly string[] = []) {
  const text = { out: '', err: '' };
  const requests: Asked[] = [];
  const code = await runLitmus(
    names,
    { seconds: '1', seed: '1', ...options },
    {
      loadScenarios: () => Promise.resolve([{ scenario: asked, file: 'one.ts', exportName: 'one' }]),
      litmus: (of, request) => {
        requests.push(request);
        const design = request.design ?? '';
        const broke = breaks.includes(design);
        return Promise.resolve<LitmusResult>({
          ...{ scenario: of.spec.name, seed: '', design, expected: design === 'good' ? 'holds' : 'fails' },
          ...{ iterations: 1000, seconds: 1, violations: broke ? 3 : 0, sample: broke ? 'torn' : '', hung: false },
          outcomes: [],
        });
      },
      out: { write: (part: string) => (text.out += part) },
      err: { write: (part: string) => (text.err += part) },
      signal: new AbortController().signal,
    },
  );
  return { code, requests, ...text };
}

test('runs each design for as long as asked, and says what came of it', async () => {
  const { code, out, requests } = await run([], { seconds: '0.5', seed: '7' }, ['bad']);
  expect(code).toBe(0);
  expect(requests.map(({ design, seconds, seed }) => [design, seconds, seed])).toEqual([
    ['bad', 0.5, 7],
    ['good', 0.5, 7],
  ]);
  expect(out).toMatch(/a\/one\s+│ bad\s+│ fails\s+│\s+1,000 .* 3 │ torn/);
});

test('a design that should hold and breaks fails the run', async () => {
  const { code, err } = await run(['a/one'], { design: 'good' }, ['good']);
  expect(code).toBe(1);
  expect(err).toContain('not as expected: a/one, design "good": torn');
});

test('a design that may fail and is not seen to fails nothing', async () => {
  expect((await run(['a'], { design: 'bad' })).code).toBe(0);
});

test('writes the counts as JSON', async () => {
  const json = join(folder, 'counts.json');
  await run([], { json });
  const written = JSON.parse(readFileSync(json, 'utf8')) as LitmusResult[];
  expect(written.map(({ design, iterations }) => [design, iterations])).toEqual([
    ['bad', 1000],
    ['good', 1000],
  ]);
});

test.each([
  [['b'], {}, /no scenario is named "b"/],
  [[], { design: 'ugly' }, /--design = "ugly"/],
  [[], { seconds: '0' }, /--seconds = "0": must be a number from 0.01 to 3600/],
  [[], { seconds: '' }, /--seconds/],
  [[], { seed: '-1' }, /--seed = "-1"/],
])('refuses %j %j', async (names, options, why) => {
  await expect(run(names, options)).rejects.toThrow(UsageError);
  await expect(run(names, options)).rejects.toThrow(why);
});
