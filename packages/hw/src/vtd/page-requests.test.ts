import { IommuError } from '@faultline/core/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalShift,
  decodePageRequest,
  describePageRequest,
  encodePageRequest,
  judgeRequest,
  PAGE_REQUEST_FIELDS,
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
  writePageRequest,
} from './index.ts';
import { anyPasid, hex, page20, rid16, u32, valuesOf, words8 } from './testing/records.ts';

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
