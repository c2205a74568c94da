import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ALL_PAGES,
  checkInvalidation,
  DESCRIPTOR_WORDS,
  decodeInvalidation,
  describeInvalidation,
  deviceTlbPageHi,
  deviceTlbPageLo,
  deviceTlbPasid,
  deviceTlbRid,
  deviceTlbSize,
  encodeInvalidation,
  INV_CONTEXT,
  INV_PAGE_GROUP_RESPONSE,
  INV_PASID_CACHE,
  INVALIDATION_KINDS,
  IQEI_NONE,
  IQEI_RESERVED,
  IQEI_TYPE,
  NARROW_WORDS,
  PASID_CACHE_ONE,
  responseCode,
  responsePasid,
  responsePrgi,
  responseRid,
  WAIT_DRAIN,
  WAIT_FENCE,
  WAIT_STATUS,
  waitWordAt,
  writeContextInvalidation,
  writeDeviceTlbInvalidation,
  writeIotlbInvalidation,
  writePageGroupResponse,
  writePasidCacheInvalidation,
  writePasidIotlbInvalidation,
  writeWait,
} from './index.ts';
import { anyPasid, hex, page20, rid16, u32, valuesOf, words8 } from './testing/records.ts';

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
