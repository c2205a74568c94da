import { expect, test } from 'vitest';
import { MAX_PAGES } from './addresses.ts';
import { Gather, type GatherOptions, type Invalidator } from './gather.ts';
import { type Rig, rigOf } from './rig.test-help.ts';

class Log implements Invalidator {
  readonly lines: string[] = [];
  invalidate(first: number, last: number, tables: boolean): void {
    this.lines.push(`${first}-${last}${tables ? ' tables' : ''}`);
  }
  sync(): void {
    this.lines.push('sync');
  }
}

function gatherOf(options: GatherOptions = {}): { rig: Rig; log: Log; gather: Gather } {
  const rig = rigOf('vtd 48 bits');
  const log = new Log();
  return { rig, log, gather: new Gather(log, rig.pool, rig.table.deferred, options) };
}

test('one wide range, one sync; nothing for nothing', () => {
  const { log, gather } = gatherOf();
  gather.sync();
  gather.addRange(7, 0);
  gather.sync();
  expect(log.lines).toEqual([]);
  gather.addRange(100, 10);
  gather.addRange(50, 1);
  gather.sync();
  gather.addRange(3, 1);
  gather.sync();
  expect(log.lines).toEqual(['50-109', 'sync', '3-3', 'sync']);
});

test('without gaps: touching ranges are one, a gap sends the first out', () => {
  const { log, gather } = gatherOf({ noGaps: true });
  gather.addRange(100, 10);
  gather.addRange(110, 5);
  gather.addRange(95, 5);
  expect(log.lines).toEqual([]);
  gather.addRange(116, 1);
  expect(log.lines).toEqual(['95-114', 'sync']);
  gather.sync();
  expect(log.lines).toEqual(['95-114', 'sync', '116-116', 'sync']);
  gather.addRange(MAX_PAGES - 1, 1);
  gather.addRange(0, 1);
  gather.sync();
  expect(log.lines.slice(4)).toEqual([`${MAX_PAGES - 1}-${MAX_PAGES - 1}`, 'sync', '0-0', 'sync']);
});

test('deferred flush: no range is kept, everything goes, the tables are freed all the same', () => {
  const { rig, log, gather } = gatherOf({ queued: true });
  gather.addRange(100, 10);
  gather.addTable(rig.pool.alloc());
  gather.sync();
  expect(log.lines).toEqual([`0-${MAX_PAGES - 1} tables`, 'sync']);
  expect(rig.table.deferred.pending()).toBe(1);
});

test('tables wait for the sync, then for a grace period', () => {
  const { rig, log, gather } = gatherOf();
  const { deferred } = rig.table;
  const live = rig.pool.live();
  const tables = [rig.pool.alloc(), rig.pool.alloc(), rig.pool.alloc()];
  gather.addRange(1, 1);
  for (const table of tables) gather.addTable(table);
  expect(gather.tables).toBe(3);
  expect(() => gather.addTable(tables[0])).toThrow('not live');
  expect(deferred.pending()).toBe(0);
  gather.sync();
  expect(log.lines).toEqual(['1-1 tables', 'sync']);
  expect([deferred.pending(), deferred.poll()]).toEqual([3, 0]); // this thread has not been quiescent since
  expect(tables.every((table) => rig.pool.isHeld(table))).toBe(true);
  rig.reader.quiescent();
  expect(deferred.poll()).toBe(3);
  expect(tables.some((table) => rig.pool.isHeld(table))).toBe(false);
  expect(rig.pool.live()).toBe(live);
});

test('the tables of an unmap join the gather after its range: a gap does not free them early', () => {
  const log = new Log();
  const rig = rigOf('vtd 48 bits', { invalidator: log, gather: { noGaps: true } });
  const { table } = rig;
  table.map(512, 1025, 512, 3);
  table.map(4096, 9001, 1, 3);
  table.unmap(4096, 1);
  table.unmap(512, 512);
  expect(log.lines).toEqual(['4096-4096', 'sync']);
  expect([table.gather.tables, table.deferred.pending()]).toEqual([1, 0]);
  table.gather.sync();
  expect(log.lines.slice(2)).toEqual(['512-1023 tables', 'sync']);
});
