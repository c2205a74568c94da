import { describe, expect, test } from 'vitest';
import {
  CD_WORDS,
  CERROR_ABT,
  CERROR_ATC_INV_SYNC,
  CERROR_ILL,
  CMDQ_ERR_MASK,
  COMMAND_KINDS,
  CR0_ATSCHK,
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_PRIQEN,
  CR0_SMMUEN,
  decodeCommand,
  decodeEvent,
  EVENT_KINDS,
  encodeCd,
  encodeCommand,
  encodeEvent,
  encodeSte,
  type FieldValues,
  GERROR_CMDQ,
  GERROR_EVTQ_ABT,
  GERROR_MSI_CMDQ,
  GERROR_MSI_EVTQ,
  GERROR_MSI_GERROR,
  GERROR_MSI_PRIQ,
  GERROR_PRIQ_ABT,
  GERROR_SFM,
  PRI_RESP_FAILURE,
  PRI_RESP_INVALID,
  PRI_RESP_SUCCESS,
  RESUME_ABORT,
  RESUME_RETRY,
  RESUME_TERMINATE,
  readIdrs,
  STE_RECORD_WORDS,
} from './index.ts';

// Every record, register and field, with words worked out by hand from the architecture's tables: no value here comes from the code's own tables.

const u32 = (words: Int32Array): number[] => Array.from(words, (w) => w >>> 0);

// Stream 0x89abcdef, substream 0x12345: w0 is 63:32 StreamID, 31:12 SubstreamID, 11 SSV, 7:0 the number.
const SID = 0x89abcdef;
const WHO = { streamId: SID, ssv: 1, substreamId: 0x12345 };
const REASON = { reason: 0xbeef };
const STALL = { stag: 0xbeef, stall: 1 }; // w1 15:0 and 31
const ACCESS = { pnu: 1, ind: 1, rnw: 1 }; // w1 33, 34, 35: 0xe of the high half
const INPUT = { addressLo: 0x76543210, addressHi: 0xfedcba98 };
const PAGE = { addressLo: 0x76543000, addressHi: 0xfedcba98 };
const IPA = { ipaLo: 0x76543000, ipaHi: 0xfedcba }; // w3 55:12
const FETCH = { fetchLo: 0x76543218, fetchHi: 0xfedcba }; // w3 55:3
const ADDRESS = [0x76543210, 0xfedcba98];
const FETCHED = [0x76543218, 0xfedcba];
const TRANSLATED = [0x76543000, 0xfedcba];

const EVENTS: readonly [string, number, FieldValues, readonly number[]][] = [
  ['F_UUT', 0x01, { ...WHO, ...REASON, ...ACCESS, ...INPUT }, [0x12345801, SID, 0xbeef, 0xe, ...ADDRESS, 0, 0]],
  ['C_BAD_STREAMID', 0x02, WHO, [0x12345802, SID, 0, 0, 0, 0, 0, 0]],
  ['F_STE_FETCH', 0x03, { ...WHO, ...REASON, ...FETCH }, [0x12345803, SID, 0xbeef, 0, 0, 0, ...FETCHED]],
  ['C_BAD_STE', 0x04, WHO, [0x12345804, SID, 0, 0, 0, 0, 0, 0]],
  ['F_BAD_ATS_TREQ', 0x05, { ...WHO, ...PAGE }, [0x12345805, SID, 0, 0, 0x76543000, 0xfedcba98, 0, 0]],
  ['F_STREAM_DISABLED', 0x06, { streamId: SID }, [0x06, SID, 0, 0, 0, 0, 0, 0]],
  ['F_TRANSL_FORBIDDEN', 0x07, { ...WHO, rnw: 1, ...INPUT }, [0x12345807, SID, 0, 8, ...ADDRESS, 0, 0]],
  ['C_BAD_SUBSTREAMID', 0x08, { streamId: SID, substreamId: 0x12345 }, [0x12345008, SID, 0, 0, 0, 0, 0, 0]],
  ['F_CD_FETCH', 0x09, { ...WHO, ...REASON, ...FETCH }, [0x12345809, SID, 0xbeef, 0, 0, 0, ...FETCHED]],
  ['C_BAD_CD', 0x0a, WHO, [0x1234580a, SID, 0, 0, 0, 0, 0, 0]],
  [
    'F_WALK_EABT',
    0x0b,
    { ...WHO, ...REASON, ...ACCESS, s2: 1, class: 1, ...INPUT, ...FETCH },
    [0x1234580b, SID, 0xbeef, 0x18e, ...ADDRESS, ...FETCHED], // S2 39: 0x80; CLASS 41:40: 0x100
  ],
  ...(
    [
      ['F_TRANSLATION', 0x10],
      ['F_ADDR_SIZE', 0x11],
      ['F_ACCESS', 0x12],
    ] as const
  ).map(([name, id]): [string, number, FieldValues, readonly number[]] => [
    name,
    id,
    { ...WHO, ...STALL, ...ACCESS, s2: 1, class: 2, ...INPUT, ...IPA },
    [0x12345800 + id, SID, 0x8000beef, 0x28e, ...ADDRESS, ...TRANSLATED],
  ]),
  [
    'F_PERMISSION',
    0x13,
    { ...WHO, ...STALL, ...ACCESS, s2: 1, class: 1, ttrnw: 1, ...INPUT, ...IPA },
    [0x12345813, SID, 0x8000beef, 0x118e, ...ADDRESS, ...TRANSLATED], // TTRnW 44: 0x1000
  ],
  [
    'F_TLB_CONFLICT',
    0x20,
    { ...WHO, ...REASON, ...ACCESS, s2: 1, ...INPUT, ...IPA },
    [0x12345820, SID, 0xbeef, 0x8e, ...ADDRESS, ...TRANSLATED],
  ],
  ['F_CFG_CONFLICT', 0x21, { ...WHO, ...REASON }, [0x12345821, SID, 0xbeef, 0, 0, 0, 0, 0]],
  [
    'E_PAGE_REQUEST',
    0x24,
    { ...WHO, ux: 1, uw: 1, ur: 1, px: 1, pw: 1, pr: 1, span: 0xab, ...PAGE },
    [0x12345824, SID, 0, 0xab0ee, 0x76543000, 0xfedcba98, 0, 0], // uX 33, uW, uR, pX 37, pW, pR, Span 51:44
  ],
  ['F_VMS_FETCH', 0x25, { ...WHO, ...REASON, ...FETCH }, [0x12345825, SID, 0xbeef, 0, 0, 0, ...FETCHED]],
];

describe('events', () => {
  test.each(EVENTS)('%s', (name, id, values, words) => {
    const record = new Int32Array(8).fill(-1);
    encodeEvent(record, 0, id, values);
    expect(u32(record)).toEqual(words);
    expect(decodeEvent(Int32Array.from(words), 0)).toEqual({ name, values: { ...values, id } });
  });

  test('are all of them; four may stall', () => {
    expect(EVENT_KINDS.map(({ name, id }) => [name, id])).toEqual(EVENTS.map(([name, id]) => [name, id]));
    expect(EVENT_KINDS.filter(({ mayStall }) => mayStall).map(({ id }) => id)).toEqual([0x10, 0x11, 0x12, 0x13]);
  });
});

// NUM 16:12, SCALE 24:20 of w0; Leaf 0, TTL 9:8, TG 11:10, address 63:12 of w1.
const RANGE = { num: 31, scale: 30 };
const VA = { leaf: 1, ttl: 2, tg: 1, addressLo: 0x76543000, addressHi: 0xfedcba98 };
const RANGED = 0x01e1f000;
const VA_WORDS = [0x76543601, 0xfedcba98];
const VMID = { vmid: 0x1234 }; // 47:32
const ASID = { asid: 0xabcd }; // 63:48

const COMMANDS: readonly [string, number, FieldValues, readonly number[]][] = [
  ['PREFETCH_CFG', 0x01, WHO, [0x12345801, SID, 0, 0]],
  ['PREFETCH_ADDR', 0x02, { ...WHO, size: 31, ...PAGE }, [0x12345802, SID, 0x7654301f, 0xfedcba98]],
  ['CFGI_STE', 0x03, { streamId: SID, leaf: 1 }, [0x03, SID, 1, 0]],
  ['CFGI_STE_RANGE', 0x04, { streamId: SID, range: 31 }, [0x04, SID, 0x1f, 0]],
  ['CFGI_CD', 0x05, { streamId: SID, substreamId: 0x12345, leaf: 1 }, [0x12345005, SID, 1, 0]],
  ['CFGI_CD_ALL', 0x06, { streamId: SID }, [0x06, SID, 0, 0]],
  ['TLBI_NH_ALL', 0x10, VMID, [0x10, 0x1234, 0, 0]],
  ['TLBI_NH_ASID', 0x11, { ...VMID, ...ASID }, [0x11, 0xabcd1234, 0, 0]],
  ['TLBI_NH_VA', 0x12, { ...RANGE, ...VMID, ...ASID, ...VA }, [RANGED | 0x12, 0xabcd1234, ...VA_WORDS]],
  ['TLBI_NH_VAA', 0x13, { ...RANGE, ...VMID, ...VA }, [RANGED | 0x13, 0x1234, ...VA_WORDS]],
  ['TLBI_EL2_ALL', 0x20, {}, [0x20, 0, 0, 0]],
  ['TLBI_EL2_ASID', 0x21, ASID, [0x21, 0xabcd0000, 0, 0]],
  ['TLBI_EL2_VA', 0x22, { ...RANGE, ...ASID, ...VA }, [RANGED | 0x22, 0xabcd0000, ...VA_WORDS]],
  ['TLBI_EL2_VAA', 0x23, { ...RANGE, ...VA }, [RANGED | 0x23, 0, ...VA_WORDS]],
  ['TLBI_S12_VMALL', 0x28, VMID, [0x28, 0x1234, 0, 0]],
  ['TLBI_S2_IPA', 0x2a, { ...RANGE, ...VMID, ...VA, addressHi: 0xcba98 }, [RANGED | 0x2a, 0x1234, 0x76543601, 0xcba98]],
  ['TLBI_NSNH_ALL', 0x30, {}, [0x30, 0, 0, 0]],
  ['ATC_INV', 0x40, { ...WHO, global: 1, size: 52, ...PAGE }, [0x12345a40, SID, 0x76543034, 0xfedcba98]],
  ['PRI_RESP', 0x41, { ...WHO, prgIndex: 0x1ff, resp: 2 }, [0x12345841, SID, 0x21ff, 0]],
  ['RESUME', 0x44, { streamId: SID, resp: 2, stag: 0xbeef }, [0x2044, SID, 0xbeef, 0]],
  ['STALL_TERM', 0x45, { streamId: SID }, [0x45, SID, 0, 0]],
  [
    'SYNC',
    0x46,
    { cs: 2, msh: 3, msiAttr: 15, msiData: 0xcafe0001, msiAddressLo: 0x7654321c, msiAddressHi: 0xcba98 },
    [0x0fc02046, 0xcafe0001, 0x7654321c, 0xcba98],
  ],
];

describe('commands', () => {
  test.each(COMMANDS)('%s', (name, op, values, words) => {
    const record = new Int32Array(4).fill(-1);
    encodeCommand(record, 0, op, values);
    expect(u32(record)).toEqual(words.map((w) => w >>> 0));
    expect(decodeCommand(Int32Array.from(words), 0)).toEqual({ name, values: { ...values, op } });
  });

  test('are all of them', () => {
    expect(COMMAND_KINDS.map(({ name, op }) => [name, op])).toEqual(COMMANDS.map(([name, op]) => [name, op]));
  });

  test('name their codes as the architecture does', () => {
    expect([RESUME_TERMINATE, RESUME_RETRY, RESUME_ABORT]).toEqual([0, 1, 2]);
    expect([PRI_RESP_FAILURE, PRI_RESP_INVALID, PRI_RESP_SUCCESS]).toEqual([0, 1, 2]); // not the wire's order
  });
});

describe('registers', () => {
  test('identification', () => {
    const idrs = readIdrs(Int32Array.of(0x06010480, 0x02739d20, 0x1420, 0xbeef0000 | 0), 0);
    // IDR0: HTTU 7:6, ATS 10, PRI 16, STALL_MODEL 25:24, TERM_MODEL 26.
    expect(idrs).toMatchObject({ httu: 2, ats: 1, pri: 1, stallModel: 2, termModel: 1, s1p: 0, hyp: 0 });
    // IDR1: SIDSIZE 5:0, SSIDSIZE 10:6, PRIQS 15:11, EVTQS 20:16, CMDQS 25:21.
    expect(idrs).toMatchObject({ sidSize: 32, ssidSize: 20, priqs: 19, eventqs: 19, cmdqs: 19, rel: 0 });
    expect(idrs).toMatchObject({ pps: 1, ril: 1, bbml: 2, fwb: 0 }); // IDR3: PPS 5, RIL 10, BBML 12:11
    expect(idrs).toMatchObject({ stallMax: 0xbeef, oas: 0 }); // IDR5: STALL_MAX 31:16
  });

  test('control, errors', () => {
    expect([CR0_SMMUEN, CR0_PRIQEN, CR0_EVTQEN, CR0_CMDQEN, CR0_ATSCHK]).toEqual([1, 2, 4, 8, 16]);
    const gerror = [GERROR_CMDQ, GERROR_EVTQ_ABT, GERROR_PRIQ_ABT, GERROR_MSI_CMDQ];
    expect(gerror).toEqual([0x001, 0x004, 0x008, 0x010]);
    expect([GERROR_MSI_EVTQ, GERROR_MSI_PRIQ, GERROR_MSI_GERROR, GERROR_SFM]).toEqual([0x020, 0x040, 0x080, 0x100]);
    expect([CMDQ_ERR_MASK, CERROR_ILL, CERROR_ABT, CERROR_ATC_INV_SYNC]).toEqual([
      0x7f000000,
      1 << 24,
      2 << 24,
      3 << 24,
    ]);
  });
});

/** Field, 64-bit word, highest and lowest bit. */
type Place = readonly [string, number, number, number];

const STE: readonly Place[] = [
  ...([
    ['v', 0, 0, 0],
    ['config', 0, 3, 1],
    ['s1Fmt', 0, 5, 4],
    ['s1CDMax', 0, 63, 59],
  ] as const),
  ...([
    ['s1DSS', 1, 1, 0],
    ['s1CIR', 1, 3, 2],
    ['s1COR', 1, 5, 4],
    ['s1CSH', 1, 7, 6],
  ] as const),
  ...([
    ['ppar', 1, 18, 18],
    ['mev', 1, 19, 19],
    ['s2FWB', 1, 25, 25],
    ['s1STALLD', 1, 27, 27],
  ] as const),
  ...([
    ['eats', 1, 29, 28],
    ['strw', 1, 31, 30],
    ['shCfg', 1, 45, 44],
    ['s2VMID', 2, 15, 0],
  ] as const),
  // VTCR is 50:32: T0SZ 5:0, SL0 7:6, IR0 9:8, OR0 11:10, SH0 13:12, TG 15:14, PS 18:16 of it
  ...([
    ['s2T0SZ', 2, 37, 32],
    ['s2SL0', 2, 39, 38],
    ['s2IR0', 2, 41, 40],
    ['s2OR0', 2, 43, 42],
  ] as const),
  ...([
    ['s2SH0', 2, 45, 44],
    ['s2TG', 2, 47, 46],
    ['s2PS', 2, 50, 48],
    ['s2AA64', 2, 51, 51],
  ] as const),
  ...([
    ['s2ENDI', 2, 52, 52],
    ['s2AFFD', 2, 53, 53],
    ['s2PTW', 2, 54, 54],
    ['s2HD', 2, 55, 55],
  ] as const),
  ...([
    ['s2HA', 2, 56, 56],
    ['s2S', 2, 57, 57],
    ['s2R', 2, 58, 58],
  ] as const),
];

const CD: readonly Place[] = [
  ...([
    ['t0sz', 0, 5, 0],
    ['tg0', 0, 7, 6],
    ['ir0', 0, 9, 8],
    ['or0', 0, 11, 10],
    ['sh0', 0, 13, 12],
  ] as const),
  ...([
    ['epd0', 0, 14, 14],
    ['endi', 0, 15, 15],
    ['epd1', 0, 30, 30],
    ['v', 0, 31, 31],
    ['ips', 0, 34, 32],
  ] as const),
  ...([
    ['tbi0', 0, 38, 38],
    ['aa64', 0, 41, 41],
    ['hd', 0, 42, 42],
    ['ha', 0, 43, 43],
    ['s', 0, 44, 44],
  ] as const),
  ...([
    ['r', 0, 45, 45],
    ['a', 0, 46, 46],
    ['aset', 0, 47, 47],
    ['asid', 0, 63, 48],
  ] as const),
  ...([
    ['mair0', 3, 31, 0],
    ['mair1', 3, 63, 32],
  ] as const),
];

/** The 64-bit words of an entry with every bit of one field set. */
function filled(encode: typeof encodeSte, size: number, [name, , hi, lo]: Place): bigint[] {
  const words = new Int32Array(size);
  encode(words, 0, { [name]: 2 ** (hi - lo + 1) - 1 });
  return Array.from(
    { length: size / 2 },
    (_, i) => (BigInt(words[2 * i + 1] >>> 0) << 32n) | BigInt(words[2 * i] >>> 0),
  );
}

describe('entries', () => {
  const expected = (size: number, [, word, hi, lo]: Place): bigint[] => {
    const bits = ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo);
    return Array.from({ length: size / 2 }, (_, i) => (i === word ? bits : 0n));
  };
  test.each(STE)('STE %s', (...place) => {
    expect(filled(encodeSte, STE_RECORD_WORDS, place)).toEqual(expected(STE_RECORD_WORDS, place));
  });

  test.each(CD)('CD %s', (...place) => {
    expect(filled(encodeCd, CD_WORDS, place)).toEqual(expected(CD_WORDS, place));
  });

  test('their tables', () => {
    const words = new Int32Array(16);
    encodeSte(words, 0, { s1ContextPtrLo: 0x765432c0, s1ContextPtrHi: 0xcba98, s2TTBLo: 0x76543210, s2TTBHi: 0xcba98 });
    // S1ContextPtr: w0 51:6; S2TTB: w3 51:4
    expect(u32(words).slice(0, 8)).toEqual([0x765432c0, 0xcba98, 0, 0, 0, 0, 0x76543210, 0xcba98]);
    encodeCd(words, 0, { ttb0Lo: 0x76543210, ttb0Hi: 0xcba98 }); // w1 51:4
    expect(u32(words).slice(0, 4)).toEqual([0, 0, 0x76543210, 0xcba98]);
  });
});
