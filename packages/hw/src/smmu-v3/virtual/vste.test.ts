import { IommuError } from '@faultline/core/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IDR_DEFAULTS } from '../id-registers.ts';
import { readFeatures } from '../probe.ts';
import { decodeSte } from '../ste.ts';
import { checkNestedEntry, nestedEntry } from '../stream-entries.ts';
import { freeNested } from './nested-domain.ts';
import { VirtualRig } from './virtual.test-help.ts';
import { checkVste, vsteTranslates, withEats } from './vste.ts';

const EIO = -5;
const FROM = 0;
const KEPT = 4;

function check(...vste: readonly number[]): { result: number; ats: boolean; kept: number[] } {
  const words = new Int32Array(40).fill(-1, KEPT, KEPT + 4);
  words.set(vste, FROM);
  const { result, ats } = checkVste(words, FROM, KEPT);
  return { result, ats, kept: Array.from(words.subarray(KEPT, KEPT + 4), (w) => w >>> 0) };
}

describe("a guest's stream table entry", () => {
  test('may have V, Config, the context table, and the attributes of stage 1', () => {
    // Config 5, S1Fmt 2, S1ContextPtr 0xffffffffffff0, S1CDMax 31; S1DSS 2, CIR, COR, CSH, S1STALLD, EATS 1
    const all = check(0xffff_ffeb, 0xf80f_ffff, 0x1800_00fe, 0);
    expect(all).toEqual({ result: 0, ats: true, kept: [0xffff_ffeb, 0xf80f_ffff, 0x0800_00fe, 0] });
  });

  test('without V is all zero, whatever else it has', () => {
    expect(check(-2, -1, -1, -1)).toEqual({ result: 0, ats: false, kept: [0, 0, 0, 0] });
  });

  test.each([
    ['bit 52 of w0', [0x0b, 1 << 20, 0, 0]],
    ['bit 58 of w0', [0x0b, 1 << 26, 0, 0]],
    ['MEV', [0x0b, 0, 1 << 19, 0]],
    ['STRW', [0x0b, 0, 1 << 30, 0]],
    ['SHCFG', [0x0b, 0, 0, 1 << 12]],
    ['stage 2', [0x0d, 0, 0, 0]],
    ['nested', [0x0f, 0, 0, 0]],
    ['Config 1', [0x03, 0, 0, 0]],
    ['split-stage ATS', [0x0b, 0, 2 << 28, 0]],
    ['EATS 3', [0x0b, 0, 3 << 28, 0]],
  ])('must not have %s', (_, vste) => {
    expect(check(...vste).result).toBe(EIO);
  });

  test('lets ATS through only where it translates', () => {
    expect(check(0x0b, 0, 1 << 28, 0).ats).toBe(true);
    expect(check(0x09, 0, 1 << 28, 0)).toEqual({ result: 0, ats: false, kept: [0x09, 0, 0, 0] });
  });

  test('translates with Config 5 and V', () => {
    expect([0x0b, 0x0a, 0x09, 0x01, 0].map((w) => vsteTranslates(Int32Array.of(w), 0))).toEqual([
      true,
      ...[false, false, false, false],
    ]);
  });
});

describe('the physical entry', () => {
  const features = readFeatures(IDR_DEFAULTS);
  const make = (vste: readonly number[], ats: boolean): Record<string, number> => {
    const parts = { features, stalls: false, ats, pasidInResponses: false };
    const { s1ContextPtrLo = 0, ...ste } = decodeSte(nestedEntry(parts, { vmid: 0x77, tableAt: 0x1000 }, vste), 0);
    return Object.fromEntries(Object.entries({ s1ContextPtrLo, ...ste }).filter(([, value]) => value !== 0));
  };
  // 48 bits of 4 KiB pages from level 0, write-back, inner shareable; SHCFG incoming.
  const stage2 = {
    ...{ v: 1, config: 6, shCfg: 1, s2VMID: 0x77, s2T0SZ: 16, s2SL0: 2, s2IR0: 1, s2OR0: 1, s2SH0: 3 },
    ...{ s2PS: 5, s2AA64: 1, s2PTW: 1, s2R: 1, s2TTBLo: 0x4000 },
  };

  test('of stage 1 is both stages, merged, with MEV', () => {
    // Config 5, S1Fmt 2, pointer 0x1_0000_0040, S1CDMax 3; S1DSS 2, S1CSH 3
    expect(make([0x6b, (3 << 27) | 1, 0xc2, 0], false)).toEqual({
      ...stage2,
      ...{ v: 1, config: 7, s1Fmt: 2, s1ContextPtrLo: 0x40, s1ContextPtrHi: 1, s1CDMax: 3, s1DSS: 2, s1CSH: 3, mev: 1 },
    });
    expect(make([0x0b, 0, 0, 0], true).eats).toBe(1);
  });

  test('of bypass is stage 2', () => {
    expect(make([0x09, 0, 0, 0], true)).toEqual({ ...stage2, eats: 1 });
  });

  test('of abort, and of one without V, aborts', () => {
    expect(make([0x01, 0, 0, 0], true)).toEqual({ v: 1 });
    expect(make([0, 0, 0, 0], true)).toEqual({ v: 1 });
  });
});

test('who checks at the allocation and who checks at the attach agree, and what was kept is what was handed in', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const low = fc.oneof(word, fc.integer({ min: 0, max: 63 }));
  const high = fc.oneof(word, fc.constant(0), fc.integer({ min: 0, max: 0xfffff }));
  const attributes = fc.oneof(word, fc.integer({ min: 0, max: 255 }), fc.constantFrom(1 << 28, 1 << 27, 3 << 28));
  fc.assert(
    fc.property(low, high, attributes, fc.constantFrom(0, 0, 0, 1), (...vste) => {
      const { result, ats, kept } = check(...vste);
      let refused = 0;
      try {
        checkNestedEntry(vste);
      } catch (error) {
        refused = error instanceof IommuError ? -error.errno : 1;
      }
      expect(result).toBe(refused);
      if ((vste[0] & 1) === 0) expect([result, kept]).toEqual([0, [0, 0, 0, 0]]);
      if (result === 0 && ats) expect(withEats(kept, ats).map((w) => w >>> 0)).toEqual(vste.map((w) => w >>> 0));
    }),
    { numRuns: 2000 },
  );
});

test('whatever passes has no bit of the host, and its nested domain keeps it', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const quiet = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }), word);
  const rig = new VirtualRig();
  const vsmmu = rig.vsmmu();
  fc.assert(
    fc.property(quiet, quiet, quiet, (low, high, attributes) => {
      const { result, kept } = check(low, high, attributes, 0);
      const domain = rig.nested(vsmmu, low, high, attributes);
      if (result !== 0) return domain === EIO;
      expect(kept[2] & ~0x080000ff).toBe(0);
      expect(kept[1] & 0x07f00000).toBe(0);
      return domain === 1 && freeNested(rig.area, domain) === 0;
    }),
    { numRuns: 1000 },
  );
});
