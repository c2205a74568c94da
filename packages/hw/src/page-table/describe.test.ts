import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LeafView } from './describe.ts';
import { clearEntry, storeEntry } from './entry.ts';
import { type Format, PROT_READ, PROT_WRITE } from './format.ts';
import { describeTable } from './page-table.ts';
import { FORMATS, rigOf } from './rig.test-help.ts';
import { allocPageTable, openPageTable, type PageTableThread } from './standalone.ts';

const RW = PROT_READ | PROT_WRITE;

test('a dump of AMD tables: tables, runs of leaves, sized leaves', () => {
  const { table } = rigOf('amdv1 from level 2');
  table.map(1, 0x101, 3, RW);
  table.map(0x200, 0x400, 0x200, PROT_READ);
  table.map(0x40000, 0x80000, 0x40000, RW);
  table.walker().access(1, true);
  // Which table is which depends on who took one first.
  expect(describeTable(table).map((line) => line.replace(/table \d+$/, 'table'))).toEqual([
    'amdv1: top level 2, table',
    '  level 1 from 0x000000000000: table',
    '    level 0 from 0x000000000000: table',
    '      0x000000001000 → 0x000000101000  4 KiB  PR A D IR IW',
    '      0x000000002000 → 0x000000102000  8 KiB  PR NEXT_LEVEL=7 IR IW',
    '    0x000000200000 → 0x000000400000  2 MiB  PR IR',
    '  0x000040000000 → 0x000080000000  1 GiB  PR IR IW',
  ]);
});

test('the upper half of sign-extended addresses', () => {
  const { table } = rigOf('x86 48 bits');
  table.map(2 ** 52 - 2, 0x101, 2, RW);
  expect(describeTable(table).at(-1)).toBe('        0xffffffffffffe000 → 0x000000101000  4 KiB × 2  P RW U A D');
});

/** A table, and a second view of it that runs `hook` between any two slots that it looks at. */
function hooked(format: Format, hook: () => void): [PageTableThread, PageTableThread] {
  const shared = allocPageTable(format, { threads: 2, tables: 300 });
  const looking: Format = {
    ...format,
    kind(lo, hi, level) {
      hook();
      return format.kind(lo, hi, level);
    },
  };
  return [openPageTable(shared, format), openPageTable(shared, looking, { id: 2, spins: 0 })];
}

test('a leaf that takes its place while the dump is in the midst of its slots is shown from there on', () => {
  let looks = 0;
  const [mapper, dumper] = hooked(FORMATS['amdv1 from level 2'](), () => {
    if (++looks === 7) mapper.table.map(0, 0x1000, 16, RW); // two tables, then slots 0 to 3 were seen empty
  });
  mapper.table.map(16, 0x2000, 1, RW);
  expect(dumper.table.describe().slice(3)).toEqual([
    '      0x000000005000 → 0x000001005000  44 KiB of 64 KiB  PR NEXT_LEVEL=7 IR IW',
    '      0x000000010000 → 0x000002000000  4 KiB  PR IR IW',
  ]);
});

test('a root that grows while the dump is under way: it goes on from the one that it began with', () => {
  let looks = 0;
  const [mapper, dumper] = hooked(FORMATS['amdv1 from level 0'](), () => {
    if (++looks === 3) mapper.table.map(2 ** 30, 0x1000, 1, RW);
  });
  mapper.table.map(7, 0x2000, 1, RW);
  expect(dumper.table.describe()).toEqual([
    expect.stringContaining('top level 0'),
    '  0x000000007000 → 0x000002000000  4 KiB  PR IR IW',
  ]);
});

test.each(['amdv1 from level 0', 'vtd 48 bits', 'x86 48 bits', 'arm s1 4k contiguous', 'riscv sv48 svnapot'])(
  '%s: whatever changes between two slots, a dump ends, and its lines ascend, do not overlap and are true',
  (name) => {
    const DISTANCE = 2 ** 20;
    const change = fc.record({
      after: fc.integer({ min: 1, max: 400 }),
      kind: fc.constantFrom('map', 'map', 'unmap', 'cut', 'promote'),
      page: fc.oneof(fc.integer({ min: 0, max: 1600 }), fc.constantFrom(0, 64, 512, 1024)),
      pages: fc.constantFrom(1, 3, 16, 64, 512, 1024),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 20, maxLength: 60 }), (changes) => {
        let next = 0;
        let looks = 0;
        const apply = ({ kind, page, pages }: (typeof changes)[number]): void => {
          const { table } = mapper;
          try {
            if (kind === 'map') table.map(page, page + DISTANCE, pages, RW);
            else if (kind === 'unmap') table.unmap(page, pages);
            else if (kind === 'cut') table.cut(page);
            else table.promote(page - (page % 512), 21);
          } catch (error) {
            expect((error as { code: string }).code).toMatch(/^(EADDRINUSE|ENOENT|ENOMEM)$/);
          }
        };
        let due = 0;
        const [mapper, dumper] = hooked(FORMATS[name](), () => {
          if (next >= changes.length || ++looks < due + changes[next].after) return;
          due = looks;
          apply(changes[next++]);
        });
        mapper.table.map(0, DISTANCE, 700, RW);
        let end = 0;
        const leaf = ({ page, pages, oaPage }: LeafView): void => {
          expect(page).toBeGreaterThanOrEqual(end);
          expect(oaPage).toBe(page + DISTANCE);
          end = page + pages;
        };
        while (next < changes.length) {
          end = 0;
          dumper.table.visit({ leaf, stray: () => expect.unreachable() });
          const starts = dumper.table
            .describe()
            .filter((line) => line.includes('→'))
            .map((line) => Number.parseInt(line, 16));
          expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
        }
      }),
      { numRuns: 15 },
    );
  },
);

test('damage is shown, not walked into', () => {
  const rig = rigOf('vtd 48 bits');
  const { table } = rig;
  table.map(3, 0x30, 1, RW);
  const { entries, pool } = table.tree;
  const root = entries.findIndex((entry) => entry !== 0n);
  const free = pool.alloc();
  pool.free(free);
  for (const page of [0xfff_ffff, 401, free]) {
    storeEntry(entries, root, (page << 12) | 3, page >>> 20);
    const lines = table.describe();
    expect(lines.length).toBe(2);
    expect(lines[1]).toBe(`  0x000000000000: no table that is in use: 0x${page.toString(16)}003`);
  }
  clearEntry(entries, root);
  expect(table.describe().length).toBe(1);
});
