import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldMax } from '../record/fields.ts';
import {
  CD_FIELDS,
  CD_WORDS,
  CONTEXT_DEFAULTS,
  cdIllegal,
  decodeCd,
  decodeSte,
  encodeCd,
  encodeSte,
  type Field,
  type FieldValues,
  IDR_DEFAULTS,
  STE_CONFIG_BYPASS,
  STE_CONFIG_NESTED,
  STE_CONFIG_S1,
  STE_CONFIG_S2,
  STE_FIELDS,
  STE_RECORD_WORDS,
  steIllegal,
  writeL1Cd,
} from './index.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const u32 = fc.integer({ min: 0, max: 0xffffffff });

function valuesOf(fields: readonly Field[]): fc.Arbitrary<FieldValues> {
  const entries = fields.map((f): [string, fc.Arbitrary<number>] => {
    const max = fieldMax(f);
    return [f.name, f.inPlace ? u32.map((v) => (v & max) >>> 0) : fc.integer({ min: 0, max })];
  });
  return fc.record(Object.fromEntries(entries)) as fc.Arbitrary<FieldValues>;
}

const zeros = (fields: readonly Field[]): FieldValues => Object.fromEntries(fields.map((f) => [f.name, 0]));
const IDRS: FieldValues = { pri: 0, vax: 0, stt: 0, ...IDR_DEFAULTS };
const STAGE1: FieldValues = { ...zeros(STE_FIELDS), v: 1, config: STE_CONFIG_S1, s1ContextPtrLo: 0x4000 };
const STAGE2: FieldValues = {
  ...zeros(STE_FIELDS),
  v: 1,
  config: STE_CONFIG_S2,
  s2T0SZ: 16,
  s2SL0: 2,
  s2PS: 5,
  s2AA64: 1,
  s2R: 1,
  s2TTBLo: 0x1000,
};
const CONTEXT: FieldValues = { ...zeros(CD_FIELDS), ...CONTEXT_DEFAULTS, asid: 7 };

describe('stream table entries', () => {
  test('by hand: nested, every field of words 0 to 3 in its place', () => {
    const words = new Int32Array(STE_RECORD_WORDS).fill(-1);
    encodeSte(words, 0, {
      v: 1,
      config: STE_CONFIG_NESTED,
      s1Fmt: 2,
      s1ContextPtrLo: 0x89abcdc0,
      s1ContextPtrHi: 0x54321,
      s1CDMax: 20,
      s1DSS: 2,
      s1CIR: 1,
      s1COR: 1,
      s1CSH: 3,
      ppar: 1,
      mev: 1,
      s1STALLD: 1,
      eats: 1,
      strw: 2,
      shCfg: 1,
      s2VMID: 0xbeef,
      s2T0SZ: 24,
      s2SL0: 1,
      s2IR0: 1,
      s2OR0: 1,
      s2SH0: 3,
      s2TG: 2,
      s2PS: 5,
      s2AA64: 1,
      s2PTW: 1,
      s2S: 1,
      s2R: 1,
      s2TTBLo: 0xabcdef00,
      s2TTBHi: 0x12345,
    });
    // w0: V 0, Config 3:1, S1Fmt 5:4, pointer 51:6, S1CDMax 63:59. w1: S1DSS 1:0, CIR 3:2, COR 5:4, CSH 7:6, PPAR 18, MEV 19, S1STALLD 27,
    // EATS 29:28, STRW 31:30, SHCFG 45:44. w2: VMID 15:0, T0SZ 37:32, SL0 39:38, IR0 41:40, OR0 43:42, SH0 45:44, TG 47:46, PS 50:48,
    // AA64 51, PTW 54, S 57, R 58. w3: TTB 51:4.
    expect(hex(words)).toEqual([
      '89abcdef',
      'a0054321',
      '980c00d6',
      '00001000',
      '0000beef',
      '064db558',
      'abcdef00',
      '00012345',
      ...Array(8).fill('00000000'),
    ]);
  });

  test('survive encoding and decoding, and touch no other bit', () => {
    fc.assert(
      fc.property(valuesOf(STE_FIELDS), (values) => {
        const words = new Int32Array(STE_RECORD_WORDS + 2).fill(-1);
        encodeSte(words, 1, values);
        expect(decodeSte(words, 1)).toEqual(values);
        expect([words[0], words[STE_RECORD_WORDS + 1]]).toEqual([-1, -1]);
      }),
      { numRuns: 50 },
    );
  });

  test('legal ones', () => {
    expect(steIllegal(STAGE1, IDRS)).toBe('');
    expect(steIllegal(STAGE2, IDRS)).toBe('');
    expect(steIllegal({ ...STAGE2, config: STE_CONFIG_NESTED, eats: 2 }, IDRS)).toBe('');
    expect(steIllegal({ ...STAGE1, config: STE_CONFIG_BYPASS, eats: 2, s1CDMax: 31, strw: 3 }, IDRS)).toBe('');
    expect(steIllegal({ ...STAGE1, config: 0, s1STALLD: 1, s1CDMax: 31 }, IDRS)).toBe(''); // abort looks at nothing else
    expect(steIllegal({ ...STAGE2, s2VMID: 0x1ff }, IDRS)).toBe('');
  });

  test.each([
    ['V = 0', { ...STAGE1, v: 0 }, {}, 'v'],
    ['stage 1 that is not there', STAGE1, { s1p: 0 }, 'config'],
    ['stage 2 that is not there', STAGE2, { s2p: 0 }, 'config'],
    ['S1STALLD where stalls cannot be chosen', { ...STAGE1, s1STALLD: 1 }, { stallModel: 2 }, 's1STALLD'],
    ['more substreams than there are', { ...STAGE1, s1CDMax: 9 }, { ssidSize: 8 }, 's1CDMax'],
    ['two levels that are not there', { ...STAGE1, s1CDMax: 9, s1Fmt: 2 }, { cd2l: 0 }, 's1Fmt'],
    ['a table beyond the address size', { ...STAGE1, s1ContextPtrHi: 0x10000 }, { oas: 5 }, 's1ContextPtr'],
    ['a reserved stream world', { ...STAGE1, strw: 1 }, {}, 'strw'],
    ['split-stage ATS without both stages', { ...STAGE1, eats: 2 }, {}, 'eats'],
    ['split-stage ATS that stalls', { ...STAGE2, config: STE_CONFIG_NESTED, eats: 2, s2S: 1 }, {}, 'eats'],
    ['split-stage ATS that is not there', { ...STAGE2, config: STE_CONFIG_NESTED, eats: 2 }, { ns1ats: 1 }, 'eats'],
    ['full ATS that stalls at stage 2', { ...STAGE2, eats: 1, s2S: 1 }, {}, 'eats'],
    ['a stall that is not offered', { ...STAGE2, s2S: 1 }, { stallModel: 1 }, 's2S'],
    ['no stall where it is forced', STAGE2, { stallModel: 2 }, 's2S'],
    ['AArch32 tables', { ...STAGE2, s2AA64: 0 }, {}, 's2AA64'],
    ['access flags that nobody sets', { ...STAGE2, s2HA: 1 }, { httu: 0 }, 's2HA'],
    ['dirty state that nobody keeps', { ...STAGE2, s2HD: 1 }, { httu: 1 }, 's2HD'],
    ['a granule that is not offered', { ...STAGE2, s2TG: 2 }, { gran16k: 0 }, 's2TG'],
    ['a reserved granule', { ...STAGE2, s2TG: 3 }, {}, 's2TG'],
    ['a table beyond S2PS', { ...STAGE2, s2PS: 0, s2TTBHi: 1 }, {}, 's2TTB'],
    ['too large an input', { ...STAGE2, s2T0SZ: 15 }, {}, 's2T0SZ'],
    ['a first level that does not suit the size', { ...STAGE2, s2SL0: 0 }, {}, 's2SL0'],
    ['big-endian tables', { ...STAGE2, s2ENDI: 1 }, {}, 's2ENDI'],
    ['a VMID of more than 8 bits', { ...STAGE2, s2VMID: 0x100 }, { vmid16: 0 }, 's2VMID'],
  ])('illegal: %s', (_name, ste, idrs, field) => {
    expect(steIllegal(ste as FieldValues, { ...IDRS, ...idrs } as FieldValues)).toBe(field);
  });
});

describe('context descriptors', () => {
  test('by hand', () => {
    const words = new Int32Array(CD_WORDS).fill(-1);
    encodeCd(words, 0, {
      ...CONTEXT_DEFAULTS,
      s: 1,
      hd: 1,
      ha: 1,
      asid: 0xabcd,
      ttb0Lo: 0x89abcdf0,
      ttb0Hi: 0x54321,
      mair0: 0x12345678,
      mair1: 0x9abcdef0,
    });
    // w0: T0SZ 16, IR0 and OR0 1, SH0 3, EPD1 30, V 31; IPS 34:32 = 5, AA64 41, HD 42, HA 43, S 44, R 45, A 46, ASET 47, ASID 63:48.
    expect(hex(words)).toEqual([
      'c0003510',
      'abcdfe05',
      '89abcdf0',
      '00054321',
      '00000000',
      '00000000',
      '12345678',
      '9abcdef0',
      ...Array(8).fill('00000000'),
    ]);
  });

  test('survive encoding and decoding', () => {
    fc.assert(
      fc.property(valuesOf(CD_FIELDS), (values) => {
        const words = new Int32Array(CD_WORDS + 2).fill(-1);
        encodeCd(words, 1, values);
        expect(decodeCd(words, 1)).toEqual(values);
        expect([words[0], words[CD_WORDS + 1]]).toEqual([-1, -1]);
      }),
      { numRuns: 50 },
    );
  });

  test('a first-level descriptor points by byte address', () => {
    const words = new Int32Array(2);
    writeL1Cd(words, 0, 0x40000400); // word offset: byte address 0x1_0000_1000
    expect(hex(words)).toEqual(['00001001', '00000001']);
  });

  test.each([
    ['a good one', {}, {}, {}, ''],
    ['V = 0', { v: 0 }, {}, {}, 'v'],
    ['a stall through an entry that forbids it', { s: 1 }, { s1STALLD: 1 }, {}, 's'],
    ['RAZ/WI that is not offered', { a: 0 }, {}, { termModel: 1 }, 'a'],
    ['RAZ/WI that is', { a: 0 }, {}, { termModel: 0 }, ''],
    ['a stall that is not offered', { s: 1 }, {}, { stallModel: 1 }, 's'],
    ['no stall where it is forced', { s: 0 }, {}, { stallModel: 2 }, 's'],
    ['big-endian tables', { endi: 1 }, {}, {}, 'endi'],
    ['AArch32 tables', { aa64: 0 }, {}, {}, 'aa64'],
    ['access flags that nobody sets', { ha: 1 }, {}, { httu: 0 }, 'ha'],
    ['dirty state that nobody keeps', { hd: 1 }, {}, { httu: 1 }, 'hd'],
    ['an ASID of more than 8 bits', { asid: 0x100 }, {}, { asid16: 0 }, 'asid'],
    ['the same in EL2', { asid: 0x100 }, { strw: 2 }, { asid16: 0 }, ''],
    ['too small an input', { t0sz: 40 }, {}, {}, 't0sz'],
    ['too large an input', { t0sz: 15 }, {}, {}, 't0sz'],
    ['the same in a table that is off', { t0sz: 15, epd0: 1 }, {}, {}, ''],
    ['a reserved granule', { tg0: 3 }, {}, {}, 'tg0'],
    ['a table beyond IPS', { ips: 0, ttb0Hi: 1 }, {}, {}, 'ttb0'],
    ['a second table with a reserved granule', { epd1: 0, t1sz: 16, tg1: 0 }, {}, {}, 'tg1'],
    ['a second table of 4 KiB pages', { epd1: 0, t1sz: 16, tg1: 2 }, {}, {}, ''],
  ])('%s', (_name, cd, ste, idrs, field) => {
    const through = { ...STAGE1, ...ste } as FieldValues;
    expect(cdIllegal({ ...CONTEXT, ...cd } as FieldValues, through, { ...IDRS, ...idrs } as FieldValues)).toBe(field);
  });
});
