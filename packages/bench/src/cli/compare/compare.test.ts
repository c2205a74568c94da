import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeCell, makeResult, makeTable } from '../../../test/cells.ts';
import { fakeEngine } from '../../../test/fake-engine.ts';
import type { Cell, Stages } from '../../result/schema.ts';
import { main } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function faultline(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const text = { out: '', err: '' };
  const code = await main(['compare', ...args], {
    engine: fakeEngine({}),
    explorer: { explore: () => Promise.reject(new Error('not asked here')) },
    litmus: () => Promise.reject(new Error('not asked here')),
    loadScenarios: () => Promise.resolve([]),
    out: { write: (part: string) => (text.out += part) },
    err: { write: (part: string) => (text.err += part) },
    signal: new AbortController().signal,
    availableBytes: 2 ** 40,
  });
  return { code, ...text };
}

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const few = (repeats: number): Cell[] =>
  makeTable([0], repeats).filter(({ threads }) => threads === 8 || threads === 64);
const before = file('a.json', makeResult({ cells: few(5) }));
const slower = few(5).map((cell) => ({ ...cell, faultsPerSecond: cell.faultsPerSecond * 0.8 }));
const after = file('b.json', makeResult({ cells: slower }));

test('exit status 1 on a regression beyond --fail-over, 0 without it and below it', async () => {
  expect((await faultline(before, after)).code).toBe(0);
  const failed = await faultline(before, after, '--fail-over', '10');
  expect(failed.code).toBe(1);
  expect(failed.out).toContain('Worse by more than 10 %:\n  locked, 8 threads: throughput −');
  expect(failed.out).toContain('REGRESSION');
  expect((await faultline(before, after, '--fail-over', '25')).code).toBe(0);
  expect((await faultline(before, before, '--fail-over', '0')).code).toBe(0);
});

const bench = (over: object = {}): unknown => ({
  schemaVersion: 1,
  environment: makeResult().environment,
  parameters: { repeats: 5 },
  costs: [{ subject: 'rings', name: 'SPSC', median: 10, min: 9, max: 11, repeats: 1000 }],
  pairs: [
    { name: 'MPSC', kind: 'throughput', items: 1, median: 5, min: 4, max: 6, repeats: 5, values: [4, 5, 5, 5, 6] },
  ],
  ...over,
});

test('bad input: exit status 2, and a line that names the file and the field', async () => {
  const bad = makeResult({ cells: [{ ...makeCell(), faults: -1 }] });
  for (const [content, message] of [
    [bad, 'bad.json: cells[0].faults = -1: '],
    ['{', 'bad.json: is not JSON: '],
    [{ colour: 'red' }, 'bad.json: holds neither `cells` (stress, repro) nor `costs` and `pairs` (bench)'],
    [bench({ costs: [{ subject: 'x', name: 'y', median: 'fast' }] }), 'bad.json: costs[0].median = "fast": '],
  ] as const) {
    const { code, err, out } = await faultline(before, file('bad.json', content));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`error: ${join(folder, message)}`);
  }
  expect(await faultline(before, join(folder, 'nowhere.json'))).toMatchObject({
    code: 2,
    err: expect.stringContaining('nowhere.json: cannot be read: ENOENT'),
  });
  expect(await faultline(before, file('bench.json', bench()))).toMatchObject({
    code: 2,
    err: expect.stringContaining('they have no cell in common'),
  });
  for (const wrong of [
    ['--fail-over', '-1'],
    ['--noise', 'x'],
    ['--confidence', '100'],
    ['--seed', '1.5'],
  ])
    expect((await faultline(before, after, ...wrong)).code).toBe(2);
});

test('micro-benchmarks: by interval where repeats are kept, else by whether the ranges lie apart', async () => {
  const slowed = bench({
    costs: [{ subject: 'rings', name: 'SPSC', median: 20, min: 19, max: 21, repeats: 1000 }],
    pairs: [
      { name: 'MPSC', kind: 'throughput', items: 1, median: 9, min: 8, max: 9, repeats: 5, values: [8, 9, 9, 9, 9] },
    ],
  });
  const { code, out } = await faultline(file('m1.json', bench()), file('m2.json', slowed), '--fail-over', '50');
  expect(out).toMatch(/costs: rings: SPSC .* \+100 % .* worse: no interval; the ranges lie apart/);
  expect(out).toMatch(/pairs: MPSC .* \+80 % \(.*….*\) .* better/);
  expect(code).toBe(1);
});

const stages = (queue: number): Stages => {
  const meanNs = { queue, group: 1, work: 2, handler: 3, response: 4 };
  return { faults: 10, skipped: 1, meanNs, byLatency: [{ fromNs: 6400, faults: 10, meanNs }] };
};

test('--json says what the table says; --html shows both over one another, as one file', async () => {
  const a = file('sa.json', makeResult({ cells: few(3).map((cell) => ({ ...cell, stages: stages(10) })) }));
  const b = file('sb.json', makeResult({ cells: few(3).map((cell) => ({ ...cell, stages: stages(99) })) }));
  const [json, html] = [join(folder, 'c.json'), join(folder, 'c.html')];
  await faultline(a, b, '--json', json, '--html', html, '--noise', '2');
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
    schemaVersion: 1,
    before: { file: a, kind: 'stress' },
    options: { confidence: 0.95, noise: 0.02 },
    regressions: 0,
    cells: expect.arrayContaining([expect.objectContaining({ name: 'v7, 64 threads', verdict: 'noise' })]),
  });
  const page = readFileSync(html, 'utf8');
  expect(page).toContain('<figure id="histograms">');
  expect(page).toContain('aria-label="v7 B: queue 99 ns, group 1 ns, work ring 2 ns, handler 3 ns, response 4 ns"');
  expect(page).not.toMatch(/<(link|img|iframe)|\ssrc=|@import|url\(/i);
  const sized = await faultline(a, b, '--html', join(folder, 'nowhere', 'x.html'));
  expect(sized).toMatchObject({ code: 2, err: expect.stringContaining('cannot be written: ENOENT') });
});
