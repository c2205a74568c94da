import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { UsageError } from '../request.ts';
import { FORMAT_NAMES } from './formats.ts';
import { addPtCommand } from './index.ts';
import type { TableJson } from './tree-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-pt-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function pt(line: string): Promise<{ code: number; out: string; err: string }> {
  const text = { out: '', err: '' };
  let code = -1;
  const host = {
    out: { write: (part: string) => (text.out += part) },
    err: { write: (part: string) => (text.err += part) },
  };
  const program = new Command('faultline');
  addPtCommand(program, host, (value) => {
    code = value;
  });
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: host.err.write });
  try {
    await program.parseAsync(['pt', ...line.split(' ').filter(Boolean)], { from: 'user' });
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof CommanderError)) throw error;
    if (error instanceof UsageError) text.err += error.message;
    code = 2;
  }
  return { code, ...text };
}

test('a table as a tree', async () => {
  const { code, out, err } = await pt(
    '--format amdv1 --map 0x1000:0x101000:4K --map 8192:0x102000:8192:r --map 2M:4M:2M:r --map 1G:2G:1G',
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out.replaceAll(/table \d+/g, 'table').split('\n')).toEqual([
    'amdv1: top level 2, table',
    '  level 1 from 0x000000000000: table',
    '    level 0 from 0x000000000000: table',
    '      0x000000001000 → 0x000000101000  4 KiB  PR IR IW',
    '      0x000000002000 → 0x000000102000  8 KiB  PR NEXT_LEVEL=7 IR',
    '    0x000000200000 → 0x000000400000  2 MiB  PR IR',
    '  0x000040000000 → 0x000080000000  1 GiB  PR IR IW',
    '',
  ]);
});

test('operations are carried out in the order of the line', async () => {
  const { code, out } = await pt(
    '--format vtd-second-stage --map 4K:8K:4K --unmap 4K:4K --map 4K:0x5000:4K 1T:1G:4K --unmap 1T:4K',
  );
  expect(code).toBe(0);
  expect(out.match(/→.*/g)).toEqual(['→ 0x000000005000  4 KiB  R W']);
});

test.each([
  ['amdv1', '0x6000000000001001'], // PR 0, IR 61, IW 62
  ['vtd-second-stage', '0x1003'], // R 0, W 1
  ['x86-first-stage', '0x1067'], // P, RW, U, A 5, D 6
  ['riscv-sv39', '0x4df'], // V, R, W, X, U, A 6, D 7; the address from bit 10
  ['sv48', '0x4df'],
  ['sv57', '0x4df'],
])('%s: the entry of a page', async (format, entry) => {
  const { out } = await pt(`--format ${format} --map 0x7000:0x1000:4K --json -`);
  const { leaves } = JSON.parse(out) as TableJson;
  expect(leaves).toMatchObject([{ iova: '0x7000', oa: '0x1000', bytes: 4096, level: 0, entry }]);
});

test.each(FORMAT_NAMES)('%s: what is mapped is there, piece by piece', async (format) => {
  const range = fc.record({ slot: fc.nat(63), page: fc.nat(1023), pages: fc.integer({ min: 1, max: 2048 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(range, { selector: ({ slot }) => slot, minLength: 1, maxLength: 4 }),
      async (all) => {
        const ranges = all.map(({ slot, page, pages }) => ({
          from: slot * 4096 + page,
          to: 2 ** 20 + slot * 4096 + page,
          pages,
        }));
        const maps = ranges.map(({ from, to, pages }) => `0x${(from * 4096).toString(16)}:${to * 4096}:${pages * 4}K`);
        const { code, out } = await pt(`--format ${format} --map ${maps.join(' ')} --json -`);
        expect(code).toBe(0);
        const pages = new Map<number, number>();
        for (const { iova, oa, bytes } of (JSON.parse(out) as TableJson).leaves)
          for (let i = 0; i < bytes / 4096; i++) pages.set(Number(iova) / 4096 + i, Number(oa) / 4096 + i);
        const wanted = ranges.flatMap(({ from, to, pages: count }) =>
          Array.from({ length: count }, (_, i) => [from + i, to + i]),
        );
        expect([...pages].sort(([a], [b]) => a - b)).toEqual(wanted.sort(([a], [b]) => a - b));
      },
    ),
    { numRuns: 10 },
  );
});

test('JSON of a range in a file, beside the tree', async () => {
  const file = join(folder, 'table.json');
  const { code, out } = await pt(`--format arm-lpae-s1 --map 0xffff00000000:0:4K:rp --json ${file}`);
  expect(code).toBe(0);
  expect(out).toMatch(/^arm/);
  const { format, tables, leaves } = JSON.parse(readFileSync(file, 'utf8')) as TableJson;
  expect(out).toContain(format);
  expect(tables.map(({ level }) => level)).toEqual([3, 2, 1, 0]);
  expect(leaves).toMatchObject([{ iova: '0xffff00000000', fields: { VALID: 1, TYPE: 1, AP_READ_ONLY: 1 } }]);
});

test('what the table refuses is told, and the rest done', async () => {
  const { code, out, err } = await pt(
    '--format sv39 --map 4K:4K:8K 8K:8K:4K 64K:64K:4K --map 512G:0:4K --map 1M:2M:4K',
  );
  expect(code).toBe(1);
  expect(err).toMatch(/^--map 8K:8K:4K: map: .* \(EADDRINUSE\)$/m);
  expect(err).toMatch(/^--map 512G:0:4K: .* \(ERANGE\)$/m);
  expect(out.match(/→/g)?.length).toBe(3);
});

test('an unmap that takes more or less than it was asked to', async () => {
  const { code, err } = await pt('--format vtd-second-stage --map 2M:2M:2M --unmap 2M:4K --unmap 8M:4K');
  expect(code).toBe(0);
  expect(err).toBe('--unmap 2M:4K: unmapped 2097152 bytes of 4096\n--unmap 8M:4K: unmapped 0 bytes of 4096\n');
});

test.each([
  ['--format amdv1', 'give --map'],
  ['--format ntfs --map 0:0:4K', '--format = "ntfs": must be one of amdv1, '],
  ['--format constructor --map 0:0:4K', '--format = "constructor"'],
  ['--map 0:0:4K', "required option '--format <name>'"],
  ['--format amdv1 --map 0:0', '--map = "0:0": must be IOVA:OA:LENGTH'],
  ['--format amdv1 --map 0:0:0:r:w', 'must be IOVA:OA:LENGTH'],
  ['--format amdv1 --map 0:0:4095', '4095 is no multiple of 4096'],
  ['--format amdv1 --map deadb000:0:4K', '"deadb000" is no number of bytes'],
  ['--format amdv1 --map 0x20000000000000000:0:4K', 'is beyond 64 bits'],
  ['--format amdv1 --map 0:0:4K:rwx', '"rwx" has other letters'],
  ['--format amdv1 --map 0:0:4K --unmap 0', '--unmap = "0": must be IOVA:LENGTH'],
  ['--format amdv1 --map 0:0:4K --json /nowhere/x', '--json = "/nowhere/x": cannot be written'],
])('refused: %s', async (line, message) => {
  const { code, err } = await pt(line);
  expect(err).toContain(message);
  expect(code).toBe(2);
});
