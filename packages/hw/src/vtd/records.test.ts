import { IommuError } from '@faultline/core/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Field, type FieldValues, fieldMax, getFields } from '../smmu-v3/fields.ts';
import {
  ALL_PAGES,
  CONTEXT_FIELDS,
  canonicalShift,
  checkInvalidation,
  DESCRIPTOR_WORDS,
  decodeFaultRecord,
  decodeInvalidation,
  decodePageRequest,
  describeFaultRecord,
  describeInvalidation,
  describePageRequest,
  deviceTlbPageHi,
  deviceTlbPageLo,
  deviceTlbPasid,
  deviceTlbRid,
  deviceTlbSize,
  encodeFaultRecord,
  encodeInvalidation,
  encodePageRequest,
  encodePasidEntry,
  FAULT_RECORD_FIELDS,
  FAULT_RECORD_WORDS,
  faultLastWord,
  INV_CONTEXT,
  INV_PAGE_GROUP_RESPONSE,
  INV_PASID_CACHE,
  INVALIDATION_KINDS,
  IQEI_NONE,
  IQEI_RESERVED,
  IQEI_TYPE,
  judgeRequest,
  NARROW_WORDS,
  PAGE_REQUEST_FIELDS,
  PASID_CACHE_ONE,
  PASID_ENTRY_FIELDS,
  PASID_ENTRY_WORDS,
  REQUEST_DESCRIPTOR_WORDS,
  REQUEST_EXECUTE,
  REQUEST_GOOD,
  REQUEST_NOT_CANONICAL,
  REQUEST_PRIVILEGED,
  REQUEST_STOP_MARKER,
  REQUEST_UNKNOWN_TYPE,
  requestIsLast,
  requestPageHi,
  requestPageLo,
  requestPasid,
  requestPerm,
  requestPrgi,
  requestRid,
  responseCode,
  responsePasid,
  responsePrgi,
  responseRid,
  VTD_REGISTERS,
  WAIT_DRAIN,
  WAIT_FENCE,
  WAIT_STATUS,
  waitWordAt,
  writeContextInvalidation,
  writeDeviceTlbInvalidation,
  writeFaultRecord,
  writeIotlbInvalidation,
  writePageGroupResponse,
  writePageRequest,
  writePasidCacheInvalidation,
  writePasidIotlbInvalidation,
  writeWait,
} from './index.ts';

const words8 = (): Int32Array<ArrayBuffer> => new Int32Array(8).fill(-1);
/** w0, w1, … as 64-bit hex. */
function hex(words: Int32Array, size = words.length): string[] {
  const out: string[] = [];
  for (let i = 0; i < size; i += 2) {
    const half = (w: number): string => (w >>> 0).toString(16).padStart(8, '0');
    out.push(half(words[i + 1]) + half(words[i]));
  }
  return out;
}
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const page20 = fc.integer({ min: 0, max: 0xfffff });
const rid16 = fc.integer({ min: 0, max: 0xffff });
const anyPasid = fc.integer({ min: -1, max: 0xfffff });

function valuesOf(fields: readonly Field[], fixed: readonly string[]): fc.Arbitrary<FieldValues> {
  const entries = fields
    .filter((f) => !fixed.includes(f.name))
    .map((f): [string, fc.Arbitrary<number>] => {
      const max = fieldMax(f);
      return [f.name, f.inPlace ? u32.map((v) => (v & max) >>> 0) : fc.integer({ min: 0, max })];
    });
  return fc.record(Object.fromEntries(entries)) as fc.Arbitrary<FieldValues>;
}

describe('page request descriptors', () => {
  // RID 0xabcd, PASID 0x12345, EXE and PRIV, RD, LPIG, PRGI 0x155, address 0xfedcba9876543000; from the reference's bit positions:
  // w0 = type 1 | 1 << 8 | 0xabcd << 16 | 0x12345 << 32 | 1 << 52 | 1 << 53
  // w1 = 1 | 1 << 2 | 0x155 << 3 (= 0xaa8) | address
  const all = ['00312345abcd0101', 'fedcba9876543aad', '0000000000000000', '0000000000000000'];

  test('all fields by hand, from the table', () => {
    const words = words8();
    encodePageRequest(words, 0, {
      pasidPresent: 1,
      rid: 0xabcd,
      pasid: 0x12345,
      exe: 1,
      priv: 1,
      rd: 1,
      lpig: 1,
      prgi: 0x155,
      addressLo: 0x76543000,
      addressHi: 0xfedcba98,
    });
    expect(hex(words)).toEqual(all);
  });

  test('all fields by hand, from the fault path, and back', () => {
    const words = words8();
    writePageRequest(words, 0, 0xabcd, 0x12345, 1 | 4 | 8, true, 0x155, 0xa9876543 | 0, 0xfedcb);
    expect(hex(words)).toEqual(all);
    expect(describePageRequest(words, 0)).toEqual({
      kind: 'PAGE_REQUEST',
      errors: [],
      fields: {
        type: 1,
        pasidPresent: 1,
        rid: 0xabcd,
        pasid: 0x12345,
        exe: 1,
        priv: 1,
        rd: 1,
        wr: 0,
        lpig: 1,
        prgi: 0x155,
        addressLo: 0x76543000,
        addressHi: 0xfedcba98,
      },
    });
    expect([requestRid(words, 0), requestPasid(words, 0), requestPerm(words, 0)]).toEqual([0xabcd, 0x12345, 13]);
    expect([requestPrgi(words, 0), requestIsLast(words, 0)]).toEqual([0x155, true]);
    expect([requestPageLo(words, 0) >>> 0, requestPageHi(words, 0)]).toEqual([0xa9876543, 0xfedcb]);
  });

  test('a write without a PASID, not last', () => {
    const words = words8();
    writePageRequest(words, 0, 0x0108, -1, 2 | 4 | 8, false, 7, 0x1234, 0);
    expect(hex(words, 4)).toEqual(['0000000001080001', '000000000123403a']);
    expect([requestPasid(words, 0), requestPerm(words, 0), requestIsLast(words, 0)]).toEqual([-1, 2, false]);
  });

  test('a stop marker: LPIG alone, with a PASID', () => {
    const words = words8();
    writePageRequest(words, 0, 0x0108, 9, 0, true, 0, 0, 0);
    expect(hex(words, 4)).toEqual(['0000000901080101', '0000000000000004']);
    expect(describePageRequest(words, 0).kind).toBe('STOP_MARKER');
    expect(judgeRequest(words, 0, canonicalShift(48))).toBe(REQUEST_STOP_MARKER);
  });

  test.each([
    [
      'reserved bit 9 of w0: private data of older hardware',
      [0x201 | (8 << 16), 0, 1, 0],
      'w0: bit 9 is reserved and set',
    ],
    ['reserved bit 54 of w0', [1, 1 << 22, 1, 0], 'w0: bit 54 is reserved and set'],
    ['w3', [1, 0, 1, 0, 0, 0, 0, 4], 'w3: bit 34 is reserved and set'],
    ['another type', [2, 0, 1, 0], 'type 2 is no page request queue descriptor'],
    ['EXE without a PASID', [1, 1 << 20, 1, 0], 'PASID, EXE or PRIV without PASID present'],
  ])('%s is an error, by name', (_name, descriptor, message) => {
    const words = new Int32Array(8);
    words.set(descriptor);
    expect(describePageRequest(words, 0).errors).toEqual([message]);
    expect(() => decodePageRequest(words, 0)).toThrow(IommuError);
    expect(() => decodePageRequest(words, 0)).toThrow(message);
  });

  test('unknown names and values that do not fit are refused by name', () => {
    const words = words8();
    expect(() => encodePageRequest(words, 0, { grpid: 1 })).toThrow('encodePageRequest: grpid');
    expect(() => encodePageRequest(words, 0, { prgi: 512 })).toThrow('prgi = 512');
    expect(() => encodePageRequest(words, 0, { addressLo: 0xfff })).toThrow('addressLo');
    expect(() => canonicalShift(39)).toThrow('addressBits = 39');
  });

  test('the table and the fault path agree both ways', () => {
    fc.assert(
      fc.property(
        rid16,
        anyPasid,
        fc.integer({ min: 0, max: 15 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 511 }),
        u32,
        page20,
        (rid, pasid, perm, last, prgi, lo, hi) => {
          const fast = words8();
          writePageRequest(fast, 0, rid, pasid, perm, last, prgi, lo | 0, hi);
          const { fields } = decodePageRequest(fast, 0);
          const byTable = words8();
          encodePageRequest(byTable, 0, fields);
          expect(hex(byTable)).toEqual(hex(fast));
          expect([fields.rid, fields.prgi, fields.lpig === 1]).toEqual([rid, prgi, last]);
          expect(requestPasid(fast, 0)).toBe(pasid);
          expect(requestPerm(fast, 0)).toBe(pasid < 0 ? perm & 3 : perm);
          expect([requestPageLo(fast, 0) >>> 0, requestPageHi(fast, 0)]).toEqual([lo, hi]);
        },
      ),
    );
  });

  test('any values survive the table', () => {
    fc.assert(
      fc.property(valuesOf(PAGE_REQUEST_FIELDS, ['type']), (values) => {
        const words = words8();
        encodePageRequest(words, 0, values);
        expect(describePageRequest(words, 0).fields).toEqual({ type: 1, ...values });
      }),
    );
  });

  describe('the driver judges', () => {
    const judge = (perm: number, pageHi: number, pageLo = 0, bits: 48 | 57 = 48, pasid = 5): number => {
      const words = new Int32Array(REQUEST_DESCRIPTOR_WORDS);
      writePageRequest(words, 0, 8, pasid, perm, true, 1, pageLo, pageHi);
      return judgeRequest(words, 0, canonicalShift(bits));
    };
    test.each([
      ['a read', judge(1, 0), REQUEST_GOOD],
      ['a write to the highest user page', judge(2, 7, -1), REQUEST_GOOD], // 0x7ffffffff000
      ['the lowest kernel page', judge(2, 0xffff8), REQUEST_GOOD], // 0xffff800000000000
      ['bit 47 without bit 48', judge(1, 8), REQUEST_NOT_CANONICAL],
      ['bit 47 with 57 bits', judge(1, 8, 0, 57), REQUEST_GOOD],
      ['bit 56 with 57 bits', judge(1, 0x1000, 0, 57), REQUEST_NOT_CANONICAL],
      ['bit 63 alone', judge(1, 0x80000), REQUEST_NOT_CANONICAL],
      ['PRIV with RD', judge(1 | 8, 0), REQUEST_PRIVILEGED],
      ['PRIV with WR and a bad address: the address comes first', judge(2 | 8, 8), REQUEST_NOT_CANONICAL],
      ['PRIV alone: a stop marker', judge(8, 0), REQUEST_STOP_MARKER],
      ['EXE with RD', judge(1 | 4, 0), REQUEST_EXECUTE],
      ['EXE with WR', judge(2 | 4, 0), REQUEST_GOOD],
      ['neither RD nor WR, without a PASID: a stop marker to Linux', judge(0, 0, 0, 48, -1), REQUEST_STOP_MARKER],
    ])('%s', (_name, found, expected) => {
      expect(found).toBe(expected);
    });
    test('a type that is none', () => {
      expect(judgeRequest(new Int32Array(8), 0, 15)).toBe(REQUEST_UNKNOWN_TYPE);
    });
  });
});

describe('invalidation queue descriptors by hand', () => {
  const RID = 0xabcd;
  const cases: readonly [string, (w: Int32Array) => void, readonly [string, string]][] = [
    [
      'page group response, PASID 0x12345, PRGI 0x155, Success',
      (w) => writePageGroupResponse(w, 0, RID, 0x12345, 0x155, 0),
      ['00012345abcd0019', '0000000000000aa8'],
    ],
    [
      'page group response without PASID, Failure',
      (w) => writePageGroupResponse(w, 0, RID, -1, 1, 15),
      ['00000000abcdf009', '0000000000000008'],
    ],
    // status data 0xcafe, word 0x40000001 is byte 0x100000004
    [
      'wait, status write, drain',
      (w) => writeWait(w, 0, WAIT_STATUS | WAIT_DRAIN, 0x40000001, 0xcafe),
      ['0000cafe000000a5', '0000000100000004'],
    ],
    ['wait, fence alone', (w) => writeWait(w, 0, WAIT_FENCE, 0, 0), ['0000000000000045', '0000000000000000']],
    ['context cache, one device', (w) => writeContextInvalidation(w, 0, RID), ['0000abcd00000031', '0000000000000000']],
    ['context cache, all', (w) => writeContextInvalidation(w, 0, -1), ['0000000000000011', '0000000000000000']],
    [
      'PASID cache, one PASID',
      (w) => writePasidCacheInvalidation(w, 0, PASID_CACHE_ONE, 0x77, 0x12345),
      ['0001234500770017', '0000000000000000'],
    ],
    [
      'IOTLB, a domain, draining',
      (w) => writeIotlbInvalidation(w, 0, 0x77, 0, 0, ALL_PAGES),
      ['00000000007700e2', '0000000000000000'],
    ],
    [
      'IOTLB, 16 pages',
      (w) => writeIotlbInvalidation(w, 0, 0x77, 0x76543210, 0xfedcb, 4),
      ['00000000007700f2', 'fedcb76543210004'],
    ],
    [
      'PASID IOTLB, whole',
      (w) => writePasidIotlbInvalidation(w, 0, 0x77, 0x12345, 0, 0, ALL_PAGES),
      ['0001234500770026', '0000000000000000'],
    ],
    [
      'PASID IOTLB, one page',
      (w) => writePasidIotlbInvalidation(w, 0, 0x77, 0x12345, 0x76543210, 0xfedcb, 0),
      ['0001234500770036', 'fedcb76543210000'],
    ],
    [
      'device-TLB, one page',
      (w) => writeDeviceTlbInvalidation(w, 0, RID, -1, 0x76543210, 0xfedcb, 0),
      ['0000abcd00000003', 'fedcb76543210000'],
    ],
    // order 4: page bits 0 to 2 are ones, bit 3 is zero
    [
      'device-TLB, 16 pages',
      (w) => writeDeviceTlbInvalidation(w, 0, RID, -1, 0x76543210, 0xfedcb, 4),
      ['0000abcd00000003', 'fedcb76543217001'],
    ],
    [
      'device-TLB, everything',
      (w) => writeDeviceTlbInvalidation(w, 0, RID, -1, 0, 0, ALL_PAGES),
      ['0000abcd00000003', '7ffffffffffff001'],
    ],
    [
      'PASID device-TLB, two pages',
      (w) => writeDeviceTlbInvalidation(w, 0, RID, 0x12345, 0x76543210, 0xfedcb, 1),
      ['00012345abcd0008', 'fedcb76543210800'],
    ],
    [
      'PASID device-TLB, everything',
      (w) => writeDeviceTlbInvalidation(w, 0, RID, 0x12345, 0, 0, ALL_PAGES),
      ['00012345abcd0008', '7ffffffffffff800'],
    ],
  ];

  test.each(cases)('%s', (_name, write, expected) => {
    const words = words8();
    write(words);
    expect(hex(words)).toEqual([...expected, '0000000000000000', '0000000000000000']);
    expect(describeInvalidation(words, 0).errors).toEqual([]);
    expect(checkInvalidation(words, 0, DESCRIPTOR_WORDS)).toBe(IQEI_NONE);
  });

  test('fields that the fault path does not write, from the table', () => {
    const words = words8();
    encodeInvalidation(words, 0, INV_CONTEXT, { g: 3, did: 0x77, sid: 0xabcd, fm: 2 });
    expect(hex(words, 2)).toEqual(['0002abcd00770031']);
    encodeInvalidation(words, 0, 3, { depth: 31, pfsidLow: 0xd, pfsidHigh: 0xabc, sid: 0x0108 });
    expect(hex(words, 2)).toEqual(['abc00108001fd003']);
    encodeInvalidation(words, 0, 8, { depth: 31, pfsidLow: 0xd, pfsidHigh: 0xabc, sid: 0x0108, pasid: 0x12345 });
    expect(hex(words, 2)).toEqual(['abc123450108d1f8']);
    encodeInvalidation(words, 0, 5, { if: 1, sw: 1, fn: 1, pd: 1, statusData: 0xcafe });
    expect(hex(words, 2)).toEqual(['0000cafe000000f5']);
    encodeInvalidation(words, 0, 2, { g: 3, am: 0x3f, ih: 1 });
    expect(hex(words, 4)).toEqual(['0000000000000032', '000000000000007f']);
  });

  test('responses read back', () => {
    const words = words8();
    writePageGroupResponse(words, 0, RID, 0x12345, 0x155, 2);
    expect([responseRid(words, 0), responsePasid(words, 0), responsePrgi(words, 0), responseCode(words, 0)]).toEqual([
      RID,
      0x12345,
      0x155,
      2,
    ]);
    expect(describeInvalidation(words, 0).errors).toEqual(['response code 2 is reserved']); // Linux's own FAILURE
    expect(checkInvalidation(words, 0, DESCRIPTOR_WORDS)).toBe(IQEI_NONE); // the hardware passes it on
    writePageGroupResponse(words, 0, RID, -1, 0, 1);
    expect(responsePasid(words, 0)).toBe(-1);
    writeWait(words, 0, WAIT_STATUS, 0x40000001, 0);
    expect(waitWordAt(words, 0)).toBe(0x40000001);
  });

  test('PRGI ignores bit 2, as the specification says', () => {
    const words = words8();
    writePageGroupResponse(words, 0, RID, -1, 0x155, 0);
    words[2] |= 4;
    expect(responsePrgi(words, 0)).toBe(0x155);
    expect(describeInvalidation(words, 0).errors).toEqual([]);
  });

  test('device-TLB ranges of every size read back', () => {
    fc.assert(
      fc.property(rid16, anyPasid, u32, page20, fc.integer({ min: 0, max: 51 }), (rid, pasid, lo, hi, size) => {
        const alignedLo = size >= 32 ? 0 : lo & ~((1 << size) - 1);
        const alignedHi = size <= 32 ? hi : hi & ~((1 << (size - 32)) - 1);
        const words = words8();
        writeDeviceTlbInvalidation(words, 0, rid, pasid, alignedLo, alignedHi, size);
        expect([deviceTlbRid(words, 0), deviceTlbPasid(words, 0), deviceTlbSize(words, 0)]).toEqual([rid, pasid, size]);
        expect([deviceTlbPageLo(words, 0, size), deviceTlbPageHi(words, 0, size)]).toEqual([alignedLo, alignedHi]);
        expect(checkInvalidation(words, 0, DESCRIPTOR_WORDS)).toBe(IQEI_NONE);
      }),
    );
  });

  test('every kind: any values survive, any reserved bit is found', () => {
    for (const kind of INVALIDATION_KINDS) {
      fc.assert(
        fc.property(valuesOf(kind.fields, ['type', 'typeHigh']), (values) => {
          const words = words8();
          encodeInvalidation(words, 0, kind.type, values);
          const view = describeInvalidation(words, 0);
          expect(view).toMatchObject({ kind: kind.name, fields: { type: kind.type, typeHigh: 0, ...values } });
        }),
        { numRuns: 50 },
      );
      const covered = new Int32Array(8);
      for (const f of kind.fields) for (let bit = f.lo; bit <= f.hi; bit++) covered[bit >> 5] |= 1 << (bit % 32);
      for (let bit = 0; bit < 256; bit++) {
        if ((covered[bit >> 5] & (1 << (bit % 32))) !== 0) continue;
        const words = new Int32Array(8);
        encodeInvalidation(words, 0, kind.type, {
          ...(kind.granularities === undefined ? {} : { g: kind.granularities[0] }),
        });
        words[bit >> 5] |= 1 << (bit % 32);
        expect(checkInvalidation(words, 0, DESCRIPTOR_WORDS), `${kind.name} bit ${bit}`).toBe(IQEI_RESERVED);
        expect(() => decodeInvalidation(words, 0)).toThrow(`bit ${bit % 64} is reserved and set`);
      }
    }
  });

  test.each([
    ['type 0', [0], IQEI_TYPE, 'type 0'],
    ['type 10', [10], IQEI_TYPE, 'type 10'],
    ['type 15', [15], IQEI_TYPE, 'type 15'],
    ['type 0x19, in two places', [9 | (1 << 9)], IQEI_TYPE, 'type 25'],
    ['context, granularity 0', [1], IQEI_RESERVED, 'granularity 0'],
    ['IOTLB, granularity 0', [2], IQEI_RESERVED, 'granularity 0'],
    ['PASID IOTLB, granularity 1', [6 | (1 << 4)], IQEI_RESERVED, 'granularity 1'],
    ['PASID cache, granularity 2', [7 | (2 << 4)], IQEI_RESERVED, 'granularity 2'],
  ])('%s stops the queue', (_name, descriptor, reason, message) => {
    const words = new Int32Array(8);
    words.set(descriptor);
    expect(checkInvalidation(words, 0, DESCRIPTOR_WORDS)).toBe(reason);
    expect(() => decodeInvalidation(words, 0)).toThrow(message);
  });

  test('a queue of 128-bit descriptors looks at half of them, and takes no response', () => {
    const words = new Int32Array(8);
    encodeInvalidation(words, 0, INV_PASID_CACHE, { g: 3 });
    words[5] = 1;
    expect(checkInvalidation(words, 0, NARROW_WORDS)).toBe(IQEI_NONE);
    expect(checkInvalidation(words, 0, DESCRIPTOR_WORDS)).toBe(IQEI_RESERVED);
    encodeInvalidation(words, 0, INV_PAGE_GROUP_RESPONSE, {});
    expect(checkInvalidation(words, 0, NARROW_WORDS)).toBe(IQEI_TYPE);
    expect(describeInvalidation(words, 0, NARROW_WORDS).errors[0]).toContain('256-bit');
    expect(() => encodeInvalidation(words, 0, 0, {})).toThrow('encodeInvalidation: type = 0');
  });
});

describe('fault records and table entries', () => {
  test('a fault record by hand, both ways', () => {
    const words = new Int32Array(FAULT_RECORD_WORDS).fill(-1);
    // reason 0x59, PASID 0x12345 in bits 123:104, SID 0xabcd, PP, T2, F
    writeFaultRecord(words, 0, 0xabcd, 0x12345, 0x76543210, 0xfedcb);
    words[3] = faultLastWord(0x59, 0x12345);
    expect(hex(words)).toEqual(['fedcb76543210000', '812345599000abcd']);
    const byTable = new Int32Array(FAULT_RECORD_WORDS);
    encodeFaultRecord(byTable, 0, decodeFaultRecord(words, 0).fields);
    expect(hex(byTable)).toEqual(hex(words));
    expect(decodeFaultRecord(words, 0).fields).toMatchObject({
      f: 1,
      t1: 0,
      t2: 1,
      reason: 0x59,
      pasidPresent: 1,
      pasid: 0x12345,
      sid: 0xabcd,
    });
    fc.assert(
      fc.property(valuesOf(FAULT_RECORD_FIELDS, []), (values) => {
        encodeFaultRecord(byTable, 0, values);
        expect(describeFaultRecord(byTable, 0).fields).toEqual(values);
      }),
    );
  });

  test('an empty record, an unknown reason and a reserved bit are errors', () => {
    const words = new Int32Array(FAULT_RECORD_WORDS);
    expect(describeFaultRecord(words, 0).errors).toEqual([
      'F is clear: no fault is recorded here',
      "reason 0x0 is none of a page request's",
    ]);
    words[3] = faultLastWord(0x47, -1);
    words[0] = 1;
    expect(() => decodeFaultRecord(words, 0)).toThrow('w0: bit 0 is reserved and set');
  });

  test('PASID table entries by hand, from Linux’s positions', () => {
    const words = new Int32Array(PASID_ENTRY_WORDS);
    encodePasidEntry(words, 0, {
      kind: 'nested',
      did: 0x77,
      firstLevelLo: 0x76543000,
      firstLevelHi: 1,
      secondLevelLo: 0x9abc_d000,
      secondLevelHi: 2,
      supervisor: true,
      execute: true,
    });
    // w0: P, AW 2, PGTT 3 (0xc0), second level; w1: DID; w2: SRE, ERE, WPE, first level
    expect(hex(words, 6)).toEqual(['000000029abcd0c9', '0000000000000077', '0000000176543013']);
    encodePasidEntry(words, 0, { kind: 'first-level', did: 1, firstLevelLo: 0x1000 });
    expect(hex(words, 6)).toEqual(['0000000000000041', '0000000000000001', '0000000000001010']);
    encodePasidEntry(words, 0, { kind: 'second-level', did: 1, secondLevelLo: 0x1000 });
    expect(hex(words, 6)).toEqual(['0000000000001089', '0000000000000001', '0000000000000000']);
    encodePasidEntry(words, 0, { kind: 'identity', did: 1 });
    expect(getFields(words, 0, PASID_ENTRY_FIELDS)).toMatchObject({ p: 1, pgtt: 4, did: 1 });
    expect(() => encodePasidEntry(words, 0, { kind: 'identity', did: 65536 })).toThrow('did = 65536');
  });

  test('context entry fields stand where Linux puts them', () => {
    const words = Int32Array.of(0x5000 | 0x1d | (3 << 9), 2, 0x12345 | (1 << 20), 0, 0, 0, 0, 0);
    expect(getFields(words, 0, CONTEXT_FIELDS)).toEqual({
      p: 1,
      fpd: 0,
      dte: 1,
      paside: 1,
      pre: 1,
      pdts: 3,
      pasidDirectoryLo: 0x5000,
      pasidDirectoryHi: 2,
      ridPasid: 0x12345,
      ridPriv: 1,
    });
  });

  test('registers do not overlap', () => {
    const sorted = [...VTD_REGISTERS].sort((a, b) => a.offset - b.offset);
    for (let i = 1; i < sorted.length; i++)
      expect(sorted[i].offset, sorted[i].name).toBeGreaterThanOrEqual(sorted[i - 1].offset + sorted[i - 1].bytes);
    expect(sorted.find((r) => r.name === 'PRS')?.offset).toBe(0xdc);
  });
});
