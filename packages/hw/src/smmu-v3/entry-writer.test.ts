import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  abortEntry,
  bypassEntry,
  CD_KIND,
  CONTEXT_DEFAULTS,
  contextTableEntry,
  type EntryParts,
  encodeCd,
  encodeSte,
  IDR_DEFAULTS,
  nestedEntry,
  planUpdate,
  readFeatures,
  STE_KIND,
  stage2Entry,
  writeEntry,
} from './index.ts';

const features = readFeatures({
  pri: 1,
  priqs: 19,
  vax: 0,
  bbml: 0,
  stallMax: 8,
  sidSize: 3,
  attrTypesOvr: 0,
  ...IDR_DEFAULTS,
});
const PARTS: EntryParts = { features, stalls: false, ats: false, pasidInResponses: false };
const ATS: EntryParts = { ...PARTS, ats: true };
const s2 = (vmid: number): { vmid: number; tableAt: number } => ({ vmid, tableAt: 0x4000 * vmid });

const ENTRIES: Record<string, Int32Array> = {
  zero: new Int32Array(16),
  abort: abortEntry(),
  bypass: bypassEntry(),
  stage1: contextTableEntry(PARTS, 0x8000, 3, 2),
  'stage1 with ATS': contextTableEntry(ATS, 0x8000, 3, 2),
  'stage1 over bypass': contextTableEntry(ATS, 0x8000, 3, 1),
  'stage1 over abort': contextTableEntry(ATS, 0x8000, 3, 0),
  'another table': contextTableEntry(PARTS, 0xc000, 5, 2),
  stage2: stage2Entry(PARTS, s2(1)),
  'another stage2': stage2Entry(PARTS, s2(2)),
  nested: nestedEntry(PARTS, s2(1), [1 | (5 << 1) | 0x4000, 0, 2, 0]),
};

/** Changes an entry, and keeps what the hardware could read at each sync. */
async function change(
  from: Int32Array,
  to: Int32Array,
  kind = STE_KIND,
): Promise<{ how: string; steps: Int32Array[] }> {
  const words = new Int32Array(new SharedArrayBuffer(32 * 4));
  words.set(from, 8);
  const steps: Int32Array[] = [];
  const how = await writeEntry(words, 8, to, kind, async () => {
    steps.push(words.slice(8, 24) as Int32Array);
  });
  expect([...words.subarray(8, 24)]).toEqual([...to]);
  return { how, steps };
}

/** The entry as the hardware sees it: bits it does not look at are nobody's. */
function seen(entry: Int32Array, kind = STE_KIND): string {
  const used = new Int32Array(16);
  kind.used(entry, used);
  return entry.map((word, i) => word & used[i]).join();
}

describe('changing a stream table entry', () => {
  test.each([
    ['abort', 'stage1', 'hitless', 2],
    ['stage1', 'abort', 'hitless', 2],
    ['bypass', 'stage1', 'hitless', 3],
    ['stage1', 'bypass', 'hitless', 3],
    ['stage1', 'stage1 with ATS', 'hitless', 1],
    ['stage1 with ATS', 'stage1 over bypass', 'hitless', 2],
    ['stage1 with ATS', 'stage1 over abort', 'hitless', 1],
    ['stage1', 'another table', 'hitless', 1],
    ['stage2', 'another stage2', 'breaking', 3],
    ['stage2', 'nested', 'hitless', 2],
    ['zero', 'abort', 'hitless', 1],
    ['stage1', 'stage1', 'unchanged', 0],
  ])('%s to %s: %s, in %i syncs', async (from, to, how, syncs) => {
    const result = await change(ENTRIES[from], ENTRIES[to]);
    expect([result.how, result.steps.length]).toEqual([how, syncs]);
  });

  test('the hardware sees the old entry, the new one, or in a breaking change an invalid one: never a mixture', async () => {
    for (const from of Object.values(ENTRIES)) {
      for (const to of Object.values(ENTRIES)) {
        const { how, steps } = await change(from, to);
        const ignored = new Int32Array(16);
        STE_KIND.safe(from, to, ignored);
        const bare = (entry: Int32Array): string => seen(entry.map((word, i) => word & ~ignored[i]) as Int32Array);
        for (const step of steps) {
          const views = [bare(from), bare(to)];
          if (how === 'breaking') views.push(bare(new Int32Array(16)));
          expect(views).toContain(bare(step));
        }
      }
    }
  });

  test('events may be merged or not at any time', async () => {
    const merging = ENTRIES.stage1.slice();
    merging[2] |= 1 << 19;
    expect(await change(ENTRIES.stage1, merging)).toMatchObject({ how: 'hitless', steps: { length: 1 } });
    expect(planUpdate(ENTRIES.stage1, merging, STE_KIND).critical).toEqual([]);
  });

  test('ATS does not come along with a stall at stage 2', () => {
    const stalling = stage2Entry({ ...PARTS, stalls: true }, s2(1));
    const ats = stage2Entry(ATS, s2(1));
    expect(planUpdate(stalling, ats, STE_KIND).critical).toEqual([1, 2]);
  });
});

describe('changing a context descriptor', () => {
  const cd = (asid: number, table: number): Int32Array => {
    const entry = new Int32Array(16);
    encodeCd(entry, 0, { ...CONTEXT_DEFAULTS, asid, ttb0Lo: table });
    return entry;
  };
  test.each([
    ['valid from nothing', new Int32Array(16), cd(1, 0x1000), 'hitless', 2],
    ['to nothing', cd(1, 0x1000), new Int32Array(16), 'hitless', 2],
    ['another ASID', cd(1, 0x1000), cd(2, 0x1000), 'hitless', 1],
    ['another ASID and table', cd(1, 0x1000), cd(2, 0x2000), 'breaking', 3],
  ])('%s', async (_name, from, to, how, syncs) => {
    const result = await change(from, to, CD_KIND);
    expect([result.how, result.steps.length]).toEqual([how, syncs]);
    for (const step of result.steps) {
      const views = [seen(from, CD_KIND), seen(to, CD_KIND), seen(new Int32Array(16), CD_KIND)];
      expect(views).toContain(seen(step, CD_KIND));
    }
  });
});

test('whatever the two entries say, the change ends at the new one and shows no mixture', async () => {
  const words = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 16, maxLength: 16 });
  await fc.assert(
    fc.asyncProperty(words, words, fc.boolean(), async (a, b, near) => {
      const from = Int32Array.from(a);
      const to = near ? from.slice() : Int32Array.from(b);
      if (near) to[(b[0] >>> 0) % 16] = b[1];
      for (const kind of [STE_KIND, CD_KIND]) {
        // A driver's entries have zeros where the hardware does not look.
        const clean = (entry: Int32Array): Int32Array => {
          const used = new Int32Array(16);
          kind.used(entry, used);
          return entry.map((word, i) => word & used[i]) as Int32Array;
        };
        const [x, y] = [clean(from), clean(to)];
        const { how, steps } = await change(x, y, kind);
        if (how === 'breaking') continue;
        const ignored = new Int32Array(16);
        kind.safe(x, y, ignored);
        const bare = (entry: Int32Array): string =>
          seen(entry.map((word, i) => word & ~ignored[i]) as Int32Array, kind);
        for (const step of steps) expect([bare(x), bare(y)]).toContain(bare(step));
      }
    }),
    { numRuns: 150 },
  );
});

test('encodeSte and the kinds agree on where V is', () => {
  const words = new Int32Array(16);
  encodeSte(words, 0, { v: 1 });
  expect(words[0]).toBe(STE_KIND.validBit);
  encodeCd(words, 0, { v: 1 });
  expect(words[0]).toBe(CD_KIND.validBit);
});
