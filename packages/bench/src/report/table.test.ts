import { expect, test } from 'vitest';
import { makeCell, makeResult, makeTable } from '../../test/cells.ts';
import { renderResult, unbalanced } from './table.ts';

const rowOf = (text: string, threads: number): string =>
  text.split('\n').find((line) => line.replaceAll(' ', '').startsWith(`│${threads}│`)) ?? '';

test('has a row for each thread count of the list’s table, with its figure', () => {
  const text = renderResult(makeResult({ cells: makeTable() }));
  for (const [threads, figure] of [
    [8, '−0.77 %'],
    [256, '−1.7 %'],
    [384, '−4.94 %'],
    [512, 'time-out'],
  ] as const) {
    expect(rowOf(text, threads)).toContain(figure);
  }
});

test('shows `locked` in faults a second and the others relative to it, with the spread', () => {
  const cells = [100, 200, 300].flatMap((rate, repeat) => [
    makeCell({ repeat, faultsPerSecond: rate * 1000 }),
    makeCell({ repeat, faultsPerSecond: rate * 1000 * (1 + 0.1 * (repeat + 1)), generation: 'v7' }),
  ]);
  const row = rowOf(renderResult(makeResult({ cells })), 8);
  expect(row).toContain('200 k/s (100 k…300 k)');
  expect(row).toContain('+20 % (+10…+30)');
});

test('without `locked` all figures are absolute', () => {
  const row = rowOf(renderResult(makeResult({ cells: [makeCell({ generation: 'v7', faultsPerSecond: 5e6 })] })), 8);
  expect(row).toContain('5 M/s');
});

test('shows time-outs, re-faults and the scanner’s pace', () => {
  const text = renderResult(makeResult({ cells: [makeCell({ timeouts: 3, refaults: 4000, scanner: 20 })] }));
  expect(text).toContain('time-outs 3');
  expect(text).toContain('re-faults 4 k');
  expect(text).toContain('page scanner once round in 20 ms');
});

test('names the machine, the parameters and the calibration', () => {
  const calibration = {
    ...{ costNsPerFault: 1830, latencyMsAt512: 12, scannerPeriodMs: 20, timeoutMs: 800 },
    explanation: ['The scanner takes a page in a hundred.'],
  };
  const text = renderResult(makeResult({ command: 'repro', calibration }));
  expect(text).toContain('2 processors, 16 GiB; linux 6.1.0 x64; Node 26.10.0');
  expect(text).toContain('queueEntries 2048');
  expect(text).toContain('a fault costs 1.83 µs');
  expect(text).toContain('The scanner takes a page in a hundred.');
});

test('says what does not balance, and in which cell', () => {
  const result = makeResult({ cells: [makeCell(), makeCell({ repeat: 1, resumed: 1 })] });
  expect(unbalanced(result)).toEqual(['locked, 8 threads, repeat 2: resumed = 1, but answered = 10000']);
  expect(renderResult(result)).toContain('WRONG');
});

test('a run without a cell is said to be partial, and no more', () => {
  const text = renderResult(makeResult({ cells: [], partial: true }));
  expect(text).toContain('PARTIAL: interrupted, 0 cells were measured');
  expect(text).not.toContain('Books');
});

test('what the hardware answered by itself has a column where there is any', () => {
  expect(renderResult(makeResult())).not.toContain('by hw');
  const text = renderResult(makeResult({ cells: [makeCell({ automatic: 7, resumed: 10_007 })] }));
  expect(text).toContain('by hw');
  expect(text).toMatch(/│ +10000 │ +10000 │ +7 │ +10007 │/);
  expect(text).toContain('balanced');
});

test('the IOMMU is named', () => {
  const { parameters } = makeResult();
  expect(renderResult(makeResult({ parameters: { ...parameters, iommu: 'amd' } }))).toContain('iommu amd · ');
});
