// The cases in which a table is freed under a live domain, and who may meet it: two threads' views in one thread, step by step.
import { expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { compareExchangeEntry, loadEntry, seenHi } from './entry.ts';
import { type DirtyRule, dirtied, LEAF, PROT_READ, PROT_WRITE } from './format.ts';
import { TOP_LEVEL_MASK } from './layout.ts';
import { between } from './races.test-help.ts';
import { leavesOf, Rig, rigOf, share } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;

function two(name: string, tables?: number): [Rig, Rig] {
  const shared = share(name, 2, 1, tables);
  return [new Rig(shared, 1), new Rig(shared, 2)];
}

test('two maps install one table: the loser frees its own, and goes on in the winner’s', () => {
  for (const order of [0, 1]) {
    const rigs = two('vtd 48 bits');
    const [first, second] = order === 0 ? rigs : [rigs[1], rigs[0]];
    const live = first.pool.live();
    between(
      () => second.table.map(7, 107, 1, RW),
      () => first.table.map(8, 208, 1, RW),
    );
    expect([first.table.tree.lostRaces, second.table.tree.lostRaces]).toEqual([1, 0]);
    expect([first.table.iovaToPhys(7), second.table.iovaToPhys(8)]).toEqual([107, 208]);
    expect(first.pool.live()).toBe(live + 3); // one a level, not four
  }
});

test('a large leaf wins the slot that a table was meant for: in use, and nothing of the loser stays', () => {
  const [first, second] = two('vtd 48 bits');
  first.table.map(2 ** 18, 5, 1, RW); // the tables above are there
  const live = first.pool.live();
  let code = '';
  between(
    () => second.table.map(512, 1024, 512, RW),
    () => {
      try {
        first.table.map(2 ** 18 + 512, 9, 1, RW);
        first.table.map(513, 9, 1, RW);
      } catch (error) {
        code = (error as { code: string }).code;
      }
    },
  );
  expect(code).toBe('EADDRINUSE');
  expect(first.table.iovaToPhys(513)).toBe(1025);
  expect(first.pool.live()).toBeGreaterThan(live);
});

test('two threads grow the top at once: one chain of roots is dropped', () => {
  const [first, second] = two('amdv1 from level 0');
  const live = first.pool.live();
  between(
    () => second.table.map(2 ** 9, 77, 1, RW),
    () => first.table.map(2 ** 18, 88, 1, RW),
  );
  expect([first.table.iovaToPhys(2 ** 9), second.table.iovaToPhys(2 ** 18)]).toEqual([77, 88]);
  expect(first.table.tree.top() & TOP_LEVEL_MASK).toBe(2);
  expect(first.table.tree.lostRaces).toBe(1);
  // Roots of levels 1 and 2, a table for 2^9, and two for 2^18.
  expect(first.pool.live()).toBe(live + 5);
});

test('the top grows while another thread maps below it, and the other way round', () => {
  const [first, second] = two('amdv1 from level 0');
  between(
    () => second.table.map(2 ** 18, 88, 1, RW),
    () => first.table.map(3, 77, 1, RW),
  );
  between(
    () => first.table.map(4, 78, 1, RW),
    () => second.table.map(2 ** 30, 89, 1, RW),
  );
  for (const { table } of [first, second])
    expect([3, 4, 2 ** 18, 2 ** 30].map((page) => table.iovaToPhys(page))).toEqual([77, 78, 88, 89]);
});

test('two maps of one page: exactly one is told', () => {
  const [first, second] = two('x86 48 bits');
  first.table.map(7, 107, 1, RW);
  first.table.unmap(7, 1);
  let refused = 0;
  between(
    () => second.table.map(7, 207, 1, RW),
    () => {
      try {
        first.table.map(7, 307, 1, RW);
      } catch {
        refused++;
      }
    },
  );
  expect([refused, first.table.iovaToPhys(7)]).toEqual([1, 207]);
});

/** A dump of a table of two pages, under which everything is unmapped after the first. */
function dumpDuringUnmap(afterwards: (unmapper: Rig, reader: Rig) => void): number[] {
  const [unmapper, reader] = two('vtd 48 bits');
  unmapper.table.map(512, 1025, 512, RW);
  const pages: number[] = [];
  reader.table.visit({
    leaf({ oaPage }) {
      if (pages.length === 0) {
        expect(unmapper.table.unmap(512, 512)).toBe(512);
        unmapper.table.gather.sync();
        afterwards(unmapper, reader);
      }
      pages.push(oaPage);
    },
  });
  return pages;
}

test('a dump in a table that is unmapped meets an empty table, which is freed once the dump is over', () => {
  let rigs: [Rig, Rig] | undefined;
  const pages = dumpDuringUnmap((unmapper, reader) => {
    rigs = [unmapper, reader];
    unmapper.reader.quiescent();
    expect(unmapper.table.deferred.poll()).toBe(0); // the reader holds it
    expect(unmapper.table.deferred.pending()).toBe(1);
  });
  expect(pages).toEqual([1025]);
  const [unmapper, reader] = rigs as [Rig, Rig];
  unmapper.reader.quiescent();
  reader.reader.quiescent();
  expect(unmapper.table.deferred.poll()).toBe(1);
});

test('without the grace period the same dump shows what is in a freed table', () => {
  const pages = dumpDuringUnmap((unmapper, reader) => {
    // As if the reader were no reader.
    reader.reader.offline();
    unmapper.table.deferred.flush(unmapper.self);
  });
  expect(pages.length).toBeGreaterThan(1);
  expect(pages[1]).toBe(0xb6b6b6b6b6); // bits 51:12 of what spoils it
});

test('a dirty read in a table that a larger leaf replaces reports nothing, and its table is freed after it', () => {
  const [mapper, reader] = two('vtd 48 bits');
  mapper.table.map(512, 1025, 512, RW);
  for (let page = 512; page < 1024; page++) mapper.table.unmap(page, 1);
  mapper.table.gather.sync();
  const bitmap = new DirtyBitmap(512, 512);
  expect(reader.table.readDirty(512, 512, bitmap)).toBe(0);
  mapper.table.map(512, 1024, 512, RW); // the block, over the empty table
  expect(leavesOf(reader.table).length).toBe(1);
  expect(mapper.table.deferred.pending()).toBe(1);
  expect(mapper.invalidator.ranges).toBe(2);
  mapper.reader.quiescent();
  expect(mapper.table.deferred.poll()).toBe(0);
  reader.reader.quiescent();
  expect(mapper.table.deferred.poll()).toBe(1);
});

test('a sweep beside an unmap of the neighbouring area neither loses nor invents', () => {
  const [sweeper, unmapper] = two('vtd 48 bits');
  sweeper.table.map(0, 1025, 64, RW);
  const walker = sweeper.table.walker();
  for (let page = 0; page < 64; page++) walker.access(page, true);
  const bitmap = new DirtyBitmap(0, 64);
  between(
    () => void unmapper.table.unmap(32, 32),
    () => void sweeper.table.readAndClearDirty(0, 64, bitmap),
  );
  for (let page = 0; page < 32; page++) expect(bitmap.has(page)).toBe(true);
  expect(bitmap.count()).toBe(32);
});

test('hardware dirties a large leaf while it is cut, and a small one while it is merged', () => {
  for (const name of ['vtd 48 bits', 'amdv1 from level 2', 'riscv sv48 svnapot']) {
    const rig = rigOf(name);
    const { table } = rig;
    const [, sizeLg2] = table.tree.format.sizesLg2;
    const pages = 2 ** (sizeLg2 - 12);
    table.map(pages, 4 * pages, pages, RW);
    const bitmap = new DirtyBitmap(pages, pages);
    const walker = table.walker(undefined, { tlbEntries: 1 });
    const tables = table.tree.pool.live();
    table.cut(pages);
    table.gather.sync();
    table.promote(pages, sizeLg2);
    // The first change that a cut makes is at the leaf, or takes a table for it.
    between(
      () => void walker.access(2 * pages - 1, true),
      () => void table.cut(pages),
    );
    table.readDirty(pages, pages, bitmap);
    expect(bitmap.has(2 * pages - 1)).toBe(true);
    table.gather.sync();
    table.readAndClearDirty(pages, pages, undefined);
    table.gather.sync();
    walker.idle();
    between(
      () => void walker.access(2 * pages - 1, true),
      () => void table.promote(pages, sizeLg2),
    );
    bitmap.clear();
    table.readDirty(pages, pages, bitmap);
    expect(bitmap.count()).toBe(pages);
    rig.settle();
    expect(table.tree.pool.live()).toBe(tables);
  }
});

test('a domain that is narrowed to some sizes maps with these, and still cuts what is larger', () => {
  const shared = share('vtd 48 bits', 2);
  const wide = new Rig(shared, 1);
  const narrow = new Rig(shared, 2, { sizesLg2: [12] });
  narrow.table.map(512, 1024, 512, RW);
  expect(leavesOf(wide.table).length).toBe(512);
  expect(wide.table.promote(512, 21)).toBe(true);
  expect(narrow.table.cut(512)).toBe(12);
  expect(leavesOf(wide.table).length).toBe(512);
  expect(() => new Rig(share('vtd 48 bits'), 1, { sizesLg2: [13] })).toThrow('no leaf of 2^13');
});

test.each(['vtd 48 bits', 'amdv1 from level 2', 'arm s1 4k', 'riscv sv57 dirty'])(
  '%s: hardware that is still in a table which promote has unlinked dirties a page there, before the sync ends',
  (name) => {
    let atSync = (): void => {};
    const rig = rigOf(name, { invalidator: { invalidate: () => {}, sync: () => atSync() } });
    const { table } = rig;
    const { entries, format } = table.tree;
    const rule = format.dirty as DirtyRule;
    // 512 pages of 4 KiB, one short of where a large leaf would fit at once.
    table.map(512, 1024, 511, RW);
    table.map(1023, 1535, 1, RW);
    while (leavesOf(table).some(({ pages }) => pages > 1))
      for (const { page, pages } of leavesOf(table)) if (pages > 1) table.cut(page);
    table.readAndClearDirty(512, 512, undefined);
    table.gather.sync();
    const lowest = leavesOf(table)[77];
    const at = entries.findIndex((entry) => Number(BigInt.asIntN(32, entry)) === lowest.lo);
    atSync = () => {
      const lo = loadEntry(entries, at);
      const hi = seenHi();
      if (format.kind(lo, hi, 0) === LEAF) compareExchangeEntry(entries, at, lo, hi, dirtied(rule, lo), hi);
    };
    expect(table.promote(512, 21)).toBe(true);
    expect(leavesOf(table).length).toBe(1);
    expect(table.readDirty(512, 512, new DirtyBitmap(512, 512))).toBe(1);
    atSync = () => {};
    rig.settle();
  },
);
