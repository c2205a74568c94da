import { expect, test } from 'vitest';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { describeTable } from './page-table.ts';
import { rigOf } from './rig.test-help.ts';

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
