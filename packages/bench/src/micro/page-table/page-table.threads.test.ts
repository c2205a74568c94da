import { expect, test } from 'vitest';
import { built } from '../../../test/built.ts';
import { measureAllocation } from '../allocation.ts';
import type { CostRow } from '../costs/measure.ts';
import { disjointCases, JOBS } from './disjoint.ts';
import { entryHeapCases } from './entry-heap.ts';
import { entrySubjects } from './entry-ways.ts';
import { PLAIN_MODEL, tableSubjectName, tableSubjects } from './table-costs.ts';
import { chosenLine, renderDisjoint, renderEntryWays } from './tables.ts';

const { measureApart } = await built<typeof import('../costs/apart.ts')>('micro/costs/apart.js');
const { measurePair, measureTurns } = await built<typeof import('../pair/measure.ts')>('micro/pair/measure.js');

function expectFigures(rows: readonly CostRow[]): void {
  for (const { median, min, max } of rows) {
    expect(Number.isFinite(max)).toBe(true);
    expect(min).toBeGreaterThan(0);
    expect(median).toBeGreaterThanOrEqual(min);
    expect(max).toBeGreaterThanOrEqual(median);
  }
}

test('each way to an entry has its figures, and a line says which was chosen', { timeout: 30_000 }, async () => {
  const rows: CostRow[] = [];
  for (const { name } of entrySubjects) rows.push(...(await measureApart(name, { timeMs: 1, warmupMs: 1 })));
  expect(rows).toHaveLength(12);
  expectFigures(rows);
  expect(renderEntryWays(rows)).toContain(chosenLine(rows));
});

test('halves take nothing from the heap', { timeout: 30_000 }, async () => {
  const [halves] = entryHeapCases;
  for (const { bytesPerItem } of await measureAllocation(halves, 1e6, ['install', 'read']))
    expect(bytesPerItem).toBeLessThan(4); // compiling allocates too, and may fall into the count
});

test('the line says of the chosen way what its figures say', () => {
  const figures = { min: 1, max: 1, repeats: 1 };
  const rows = entrySubjects.flatMap(({ name: subject }, way) =>
    ['peek', 'read', 'install', 'clear'].map((name, at) => ({
      ...figures,
      subject,
      name,
      median: way === 2 ? 10 : at === 0 ? 5 : 20,
    })),
  );
  expect(chosenLine(rows)).toContain('fastest in this run at read, install, clear; one of each: 40 ns');
  expect(chosenLine(rows)).toContain('peek 0.5 ×, read 2 ×');
  expect(chosenLine(rows)).toContain('one of each: 65 ns');
});

test.each([
  tableSubjectName('amdv1', 'lock-free'),
  tableSubjectName('riscv-sv39', 'mutex'),
  tableSubjectName('arm-lpae-s1-4k', 'rwlock'),
  PLAIN_MODEL,
])('%s: each operation has its figure', { timeout: 30_000 }, async (name) => {
  expect(tableSubjects.some((subject) => subject.name === name)).toBe(true);
  const rows = await measureApart(name, { timeMs: 1, warmupMs: 1 });
  expect(rows.map((row) => row.name).slice(0, 3)).toEqual(['map', 'unmap', 'walk, every page']);
  expect(rows).toHaveLength(7);
  expectFigures(rows);
});

test.each(JOBS)(
  '%s on disjoint ranges: two threads are compared with one of the same turn',
  { timeout: 60_000 },
  async (job) => {
    const rows = await measureTurns(disjointCases(job), { repeats: 2, roundMs: 2 });
    for (const { median, peerOf, inTurn } of rows) {
      expect(median).toBeGreaterThan(0);
      expect(inTurn?.repeats).toBe(peerOf === undefined ? undefined : 2);
    }
    const other = rows.map((row) => ({
      ...row,
      name: row.name.replace(job, JOBS.find((each) => each !== job) ?? ''),
    }));
    expect(renderDisjoint([...rows, ...other])).toContain('≥ 1.7 ×');
  },
);

test('items that did not go as they should are no figure', { timeout: 30_000 }, async () => {
  const [, both] = disjointCases('sweep');
  await expect(measurePair({ ...both, check: () => 42 }, { repeats: 1, roundMs: 1 })).rejects.toThrow('not 42');
});
