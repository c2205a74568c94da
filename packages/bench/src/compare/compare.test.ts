import { expect, test } from 'vitest';
import { makeCell, makeResult, makeTable } from '../../test/cells.ts';
import type { Cell, Result } from '../result/schema.ts';
import { type ComparedCell, type Comparison, compare, regressionsOf } from './compare.ts';
import type { JudgeOptions } from './judge.ts';
import { readStress } from './stress-file.ts';

const OPTIONS: JudgeOptions = { confidence: 0.95, resamples: 400, seed: 1 };

function compared(a: Partial<Result>, b: Partial<Result>, options: Partial<JudgeOptions> = {}): Comparison {
  return compare(readStress('A.json', makeResult(a)), readStress('B.json', makeResult(b)), { ...OPTIONS, ...options });
}

/** A cell's repeats with these throughputs. */
function repeats(rates: readonly number[], over: Partial<Cell> = {}): Cell[] {
  return rates.map((faultsPerSecond, repeat) => makeCell({ repeat, faultsPerSecond, ...over }));
}

const throughput = ({ figures }: ComparedCell) => figures[0];

test.each([
  ['better', [100, 102, 98, 101, 99], [120, 122, 118, 121, 119]],
  ['worse', [100, 102, 98, 101, 99], [80, 82, 78, 81, 79]],
  ['noise', [100, 120, 80, 110, 90], [101, 118, 83, 95, 112]],
])('%s, by where the interval lies', (verdict, a, b) => {
  const [cell] = compared({ cells: repeats(a) }, { cells: repeats(b) }).cells;
  expect(cell.verdict).toBe(verdict);
  const { change = Number.NaN, interval } = throughput(cell);
  expect(interval?.low).toBeLessThanOrEqual(change);
  expect(interval?.high).toBeGreaterThanOrEqual(change);
});

test('less latency is better, more is worse, whatever throughput says', () => {
  const slow = { latencyNs: { p50: 2000, p99: 20_000, p999: 20_000, max: 31_000 } };
  const cells = { fast: repeats([1, 1, 1, 1]), slow: repeats([1, 1, 1, 1], slow) };
  expect(compared({ cells: cells.fast }, { cells: cells.slow }).cells[0].verdict).toBe('worse');
  expect(compared({ cells: cells.slow }, { cells: cells.fast }).cells[0].verdict).toBe('better');
});

test('the same files and seed give the same comparison, whatever else they hold and in whatever order', () => {
  const [a, b] = [makeTable([100, 0], 4), makeTable([100, 0], 4).map((cell) => ({ ...cell, jobs: 1 }))];
  const whole = compared({ cells: a }, { cells: b });
  const backwards = compared({ cells: a.toReversed() }, { cells: b.toReversed() });
  const only = (cells: readonly Cell[]): Cell[] => cells.filter(({ threads }) => threads === 64);
  const part = compared({ cells: only(a) }, { cells: only(b) });
  const of = ({ cells }: Comparison): Map<string, unknown> =>
    new Map(cells.map(({ name, figures }) => [name, figures]));
  expect(of(backwards)).toEqual(of(whole));
  for (const [name, figures] of of(part)) expect(figures).toEqual(of(whole).get(name));
  expect(part.cells).toHaveLength(10);
});

test('one repeat on a side has no interval and is noise, unless the noise is known', () => {
  const [a, b] = [{ cells: repeats([100]) }, { cells: repeats([50, 51, 52]) }];
  const plain = compared(a, b, { failOver: 0.05 });
  expect(throughput(plain.cells[0])).toMatchObject({ verdict: 'noise', why: 'one repeat: no interval' });
  expect(throughput(plain.cells[0]).interval).toBeUndefined();
  expect(plain.warnings.join('\n')).toContain('1 of 1 cells have one repeat on a side');
  const [known] = compared(a, b, { noise: 0.1, failOver: 0.05 }).cells;
  expect(throughput(known)).toMatchObject({ verdict: 'worse', regression: true });
  expect(throughput(compared(a, b, { noise: 0.6 }).cells[0]).verdict).toBe('noise');
});

test('what is within the given noise is noise, though its interval is narrow', () => {
  const [cell] = compared({ cells: repeats([100, 100, 100, 100]) }, { cells: repeats([97, 97, 97, 97]) }).cells;
  expect(cell.verdict).toBe('worse');
  const told = compared(
    { cells: repeats([100, 100, 100, 100]) },
    { cells: repeats([97, 97, 97, 97]) },
    { noise: 0.05 },
  );
  expect(told.cells[0].verdict).toBe('noise');
});

test('a regression is worse, no noise, and beyond the limit', () => {
  const a = { cells: repeats([100, 101, 99, 100, 100]) };
  const b = { cells: repeats([90, 91, 89, 90, 90]) };
  expect(regressionsOf(compared(a, b, { failOver: 0.05 })).map(({ figure }) => figure.name)).toEqual(['throughput']);
  expect(regressionsOf(compared(a, b, { failOver: 0.15 }))).toEqual([]);
  expect(regressionsOf(compared(a, b))).toEqual([]);
  expect(regressionsOf(compared(b, a, { failOver: 0.05 }))).toEqual([]);
});

test('time-outs where there were none are worse, in points of the jobs', () => {
  const timedOut = repeats([1, 1, 1, 1], { jobs: 75, timeouts: 25 });
  const result = compared({ cells: repeats([1, 1, 1, 1]) }, { cells: timedOut }, { failOver: 0.1 });
  expect(result.cells[0].figures[2]).toMatchObject({
    name: 'time-outs',
    change: 0.25,
    verdict: 'worse',
    regression: true,
  });
});

test('cells in one file alone are named, and are no regression', () => {
  const a = { cells: [makeCell(), makeCell({ threads: 64 })] };
  const b = { cells: [makeCell(), makeCell({ generation: 'v7' })] };
  const { cells, warnings } = compared(a, b, { failOver: 0 });
  expect(cells.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['locked, 8 threads', 'noise'],
    ['locked, 64 threads', 'only in A'],
    ['v7, 8 threads', 'only in B'],
  ]);
  expect(warnings).toContain('2 of 3 cells are in one file alone');
});

test('with the scanner and without are two cells; its pace, which repro chooses anew, is none', () => {
  const a = { cells: [makeCell({ scanner: 400 }), makeCell()] };
  const b = { cells: [makeCell({ scanner: 410 }), makeCell()] };
  expect(compared(a, b).cells.map(({ name }) => name)).toEqual([
    'locked, 8 threads, scanner 400 ms → locked, 8 threads, scanner 410 ms',
    'locked, 8 threads',
  ]);
});

test('what differs between the runs, and what is wrong in one, is told', () => {
  const { environment, parameters } = makeResult();
  const { warnings } = compared(
    { partial: true },
    {
      environment: { ...environment, node: '22.15.0', cpus: 128 },
      parameters: { ...parameters, handlers: 7, stages: true },
      cells: [makeCell({ resumed: 1 })],
    },
  );
  expect(warnings).toEqual(
    expect.arrayContaining([
      'A.json is partial: its run was interrupted',
      expect.stringContaining('B.json: books do not balance: locked, 8 threads, repeat 1: resumed = 1'),
      'environment differs: cpus 2 → 128',
      'environment differs: node 26.10.0 → 22.15.0',
      'parameters differ: handlers 2 → 7',
      'parameters differ: stages not set → true',
    ]),
  );
});

test('few repeats: how often nothing looks like something is told', () => {
  const { warnings } = compared({ cells: repeats([1, 2, 3]) }, { cells: repeats([1, 2, 3]) });
  expect(warnings.join()).toContain('3 and 3 repeats: one figure in 10 looks different where nothing is');
});
