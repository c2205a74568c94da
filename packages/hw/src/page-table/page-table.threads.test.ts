import { randomInt } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { SHIFTS } from './modelled-area.test-help.ts';
import { FORMATS, leavesOf, Rig, share } from './rig.test-help.ts';
import { Crew } from './threads.test-help.ts';

const seed = Number(process.env.FAULTLINE_SEED ?? randomInt(2 ** 31));
console.log(`page-table.threads.test.ts: seed ${seed}`);
const RW = PROT_READ | PROT_WRITE;
const crew = new Crew();
afterAll(() => crew.end());

// Where input and output addresses are aligned alike leaves are large, and unmapped whole; elsewhere page by page as well.
describe.each([
  ['amdv1 from level 0', 2 ** 20, 32],
  ['vtd 48 bits', 2 ** 20 + 1, 1],
  ['arm s1 4k contiguous', 2 ** 20, 32],
])('%s', (name, distance, piece) => {
  const block = 512; // pages of a level 0 table's reach, in these formats

  test('owners of neighbouring ranges, beside sweeps, dumps and hardware', async () => {
    const shared = share(name, 6, 1, 300);
    const owners = 3;
    const parts = [];
    for (let owner = 0; owner < owners; owner++)
      parts.push({
        role: 'owner' as const,
        start: owner * 32,
        end: 4 * block,
        stride: owners * 32,
        length: 32,
        piece,
        rounds: 15,
        distance,
      });
    const everything = { start: 0, end: 4 * block + 96, distance };
    const { wrong, counts } = await crew.run(shared, seed, [
      ...parts,
      { role: 'sweeper', ...everything },
      { role: 'dumper', ...everything },
      { role: 'hardware', ...everything, tlbEntries: 16 },
    ]);
    expect(wrong).toEqual([]);
    expect(counts.sweeps > 0 && counts.dumps > 0 && counts.walks > 0).toBe(true);
    const rig = new Rig(shared, 1);
    expect(leavesOf(rig.table)).toEqual([]);
    rig.table.destroy();
    expect(rig.pool.live()).toBe(0);
  });

  test('owners whose ranges cover tables whole: each round frees what the last one made', async () => {
    const shared = share(name, 5, 1, 300);
    const owners = 2;
    const parts = [];
    for (let owner = 0; owner < owners; owner++)
      parts.push({
        role: 'owner' as const,
        start: owner * 2 * block,
        end: 8 * block,
        stride: owners * 2 * block,
        length: 2 * block,
        rounds: 12,
        distance: 2 ** 20 + 1, // small leaves only
      });
    const everything = { start: 0, end: 8 * block, distance: 2 ** 20 + 1 };
    const { wrong } = await crew.run(shared, seed, [
      ...parts,
      { role: 'sweeper', ...everything },
      { role: 'dumper', ...everything },
      { role: 'hardware', ...everything, tlbEntries: 16 },
    ]);
    expect(wrong).toEqual([]);
    const rig = new Rig(shared, 1);
    expect(leavesOf(rig.table)).toEqual([]);
    rig.table.destroy();
    expect(rig.pool.live()).toBe(0);
  });

  test('no write is missed by a sweep', async () => {
    const shared = share(name, 4, 2);
    const rig = new Rig(shared, 4);
    const pages = 256;
    const { sizesLg2 } = rig.table.tree.format;
    const large = 2 ** (sizesLg2[1] - 12);
    // Half of it in leaves of the second size, where that is small.
    const start = 4 * block;
    rig.table.map(start, start + 2 ** 20, pages, RW);
    rig.reader.offline();
    expect(large).toBeGreaterThan(1);
    const log = new Int32Array(new SharedArrayBuffer(pages * 4));
    const range = { start, end: start + pages, distance: 2 ** 20 };
    const { wrong, counts } = await crew.run(
      shared,
      seed,
      [
        { role: 'auditor', ...range, log },
        { role: 'hardware', ...range, log, tlbEntries: 64 },
        { role: 'dumper', ...range },
      ],
      100,
    );
    expect(wrong).toEqual([]);
    expect(counts.sweeps).toBeGreaterThan(0);
    expect(counts.marks).toBeGreaterThan(0);
  });

  test('no write is lost while leaves are cut and promoted', async () => {
    const shared = share(name, 4, 1);
    const rig = new Rig(shared, 4);
    const { sizesLg2 } = rig.table.tree.format;
    const large = 2 ** (sizesLg2[1] - 12);
    const pages = 4 * large;
    const start = 4 * large;
    const distance = 64 * large;
    rig.table.map(start, start + distance, pages, RW);
    rig.table.readAndClearDirty(start, pages, undefined);
    rig.reader.offline();
    const log = new Int32Array(new SharedArrayBuffer(pages * 4));
    const range = { start, end: start + pages, distance };
    // Where break before make is demanded, accesses in between fault, and no write is logged.
    const { wrong, counts } = await crew.run(shared, seed, [
      { role: 'resizer', ...range, rounds: 150 },
      { role: 'auditor', ...range, log, strict: false },
      { role: 'hardware', ...range, log, tlbEntries: 8 },
    ]);
    expect(wrong).toEqual([]);
    expect(counts.promoted).toBeGreaterThan(0);
  });
});

describe('counted marks', () => {
  /** Runs two walkers against two sweepers over leaves that are clean and accessed. @returns marks made, and marks reported. */
  async function balance(
    name: string,
    method: 'compare-exchange' | 'test-and-clear' | 'load-store',
  ): Promise<[number, number]> {
    const shared = share(name, 5, 2);
    const rig = new Rig(shared, 5);
    const pages = 16;
    rig.table.map(0, 2 ** 20 + 1, pages, RW);
    rig.table.readAndClearDirty(0, pages, undefined);
    for (let page = 0; page < pages; page++) rig.table.walker().access(page, false);
    rig.reader.offline();
    const range = { start: 0, end: pages, distance: 2 ** 20 + 1, method };
    const log = new Int32Array(new SharedArrayBuffer(pages * 4)); // makes the walkers write only
    const { wrong, counts } = await crew.run(
      shared,
      seed,
      [
        { role: 'sweeper', ...range },
        { role: 'sweeper', ...range },
        { role: 'hardware', ...range, log, walker: 1 },
        { role: 'hardware', ...range, log, walker: 2 },
      ],
      80,
    );
    expect(wrong).toEqual([]);
    expect(counts.marks).toBeGreaterThan(0);
    const left = rig.table.readAndClearDirty(0, pages, undefined);
    return [counts.marks, counts.dirty + left];
  }

  const tracked = ['vtd 48 bits', 'arm s1 4k'];
  test.each(tracked)('%s: each mark is reported once, by compare-exchange', async (name) => {
    const [made, reported] = await balance(name, 'compare-exchange');
    expect(reported).toBe(made);
  });
  test('each mark is reported once by test-and-clear as well, as nothing is replaced', async () => {
    const [made, reported] = await balance('arm s1 4k', 'test-and-clear');
    expect(reported).toBe(made);
  });
});

// Areas of neighbouring owners share tables: the smaller ones at level 0 already, the larger ones from there up.
describe.each([
  ['amdv1 from level 0', 96],
  ['amdv1 before 6.19', 96],
  ['vtd 48 bits', 1024],
  ['x86 57 bits', 1024],
  ['arm s1 4k contiguous', 96],
  ['arm s2 4k 40 bits joined', 1024],
  ['riscv sv48 svnapot', 96],
])('random operations, many threads: %s', (name, pages) => {
  test('each thread’s range does what its model does, beside dumps, dirty reads and hardware', async () => {
    const shared = share(name, 6, 1, 300);
    const distance = 2 ** 20;
    const modellers = [0, 1, 2].map((owner) => ({
      role: 'modeller' as const,
      start: owner * pages,
      end: (owner + 1) * pages,
      rounds: 400,
      distance,
    }));
    const everything = { start: 0, end: 3 * pages, distance, shifts: SHIFTS };
    const hasDirty = FORMATS[name]().dirty !== undefined;
    const { wrong, counts } = await crew.run(shared, seed, [
      ...modellers,
      { role: 'dumper', ...everything },
      ...(hasDirty ? [{ role: 'reader' as const, ...everything }] : []),
      { role: 'hardware', ...everything, writes: false },
    ]);
    expect(wrong).toEqual([]);
    expect(counts.dumps > 0 && counts.walks > 0 && counts.cut > 0 && counts.promote > 0).toBe(true);
    const rig = new Rig(shared, 1);
    expect(leavesOf(rig.table)).toEqual([]);
    rig.table.destroy();
    expect(rig.pool.live()).toBe(0);
  });
});

test('growing tops race, and all addresses stay', async () => {
  const shared = share('amdv1 from level 0', 4, 1, 300);
  const parts = [0, 1, 2].map((owner) => ({
    role: 'owner' as const,
    start: 2 ** (9 * (owner + 1)),
    end: 2 ** (9 * (owner + 1)) + 1,
    stride: 1,
    length: 1,
    rounds: 100,
    distance: 7,
  }));
  const { wrong } = await crew.run(shared, seed, parts);
  expect(wrong).toEqual([]);
  const rig = new Rig(shared, 1);
  expect(leavesOf(rig.table)).toEqual([]);
  rig.table.destroy();
  expect(rig.pool.live()).toBe(0);
});
