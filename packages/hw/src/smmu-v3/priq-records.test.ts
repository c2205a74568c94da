import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodePriqRecord,
  describePriqRecord,
  encodePriqRecord,
  isStopMarker,
  PRIQ_EXEC,
  PRIQ_LAST,
  PRIQ_PRIV,
  PRIQ_READ,
  PRIQ_RECORD_WORDS,
  PRIQ_SSV,
  PRIQ_WRITE,
  priqPerm,
  writePriqRecord,
} from './index.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const u32 = fc.integer({ min: 0, max: 0xffffffff });

// Stream 0x89abcdef, substream 0x12345, group 0x1ff, read and execute, privileged, last, page 0xfedcba9876543.
const byHand = ['89abcdef', 'dc012345', '765431ff', 'fedcba98'];

test('a page request by hand, from the table and from the hardware', () => {
  const words = new Int32Array(PRIQ_RECORD_WORDS).fill(-1);
  encodePriqRecord(words, 0, {
    streamId: 0x89abcdef,
    substreamId: 0x12345,
    priv: 1,
    exec: 1,
    read: 1,
    last: 1,
    ssv: 1,
    prgIndex: 0x1ff,
    addressLo: 0x76543000,
    addressHi: 0xfedcba98,
  });
  expect(hex(words)).toEqual(byHand);
  const flags = PRIQ_PRIV | PRIQ_EXEC | PRIQ_READ | PRIQ_LAST | PRIQ_SSV;
  words.fill(-1);
  writePriqRecord(words, 0, 0x89abcdef | 0, flags, 0x12345, 0x1ff, 0xa9876543 | 0, 0xfedcb);
  expect(hex(words)).toEqual(byHand);
});

test('what the hardware writes is what the table reads', () => {
  fc.assert(
    fc.property(
      u32,
      fc.integer({ min: 0, max: 63 }),
      fc.integer({ min: 0, max: 0xfffff }),
      fc.integer({ min: 0, max: 511 }),
      u32,
      fc.integer({ min: 0, max: 0xfffff }),
      (streamId, bits, substreamId, prgIndex, pageLo, pageHi) => {
        const words = new Int32Array(PRIQ_RECORD_WORDS + 1).fill(-1);
        writePriqRecord(words, 0, streamId, bits << 26, substreamId, prgIndex, pageLo | 0, pageHi);
        const ssv = bits >> 5;
        expect(decodePriqRecord(words, 0)).toEqual({
          streamId,
          substreamId: ssv === 1 ? substreamId : 0,
          priv: bits & 1,
          exec: (bits >> 1) & 1,
          read: (bits >> 2) & 1,
          write: (bits >> 3) & 1,
          last: (bits >> 4) & 1,
          ssv,
          prgIndex,
          addressLo: (pageLo << 12) >>> 0,
          addressHi: pageHi * 2 ** 12 + (pageLo >>> 20),
        });
        expect(priqPerm(words[1])).toBe(((bits >> 2) & 3) | ((bits & 2) << 1) | ((bits & 1) << 3));
        expect(words[PRIQ_RECORD_WORDS]).toBe(-1);
      },
    ),
  );
});

test('a stop marker needs its SubstreamID: without one the same bits are a request', () => {
  expect(isStopMarker(PRIQ_LAST | PRIQ_SSV)).toBe(true);
  expect(isStopMarker(PRIQ_LAST | PRIQ_SSV | 0x12345)).toBe(true);
  expect(isStopMarker(PRIQ_LAST)).toBe(false);
  expect(isStopMarker(PRIQ_LAST | PRIQ_SSV | PRIQ_WRITE)).toBe(false);
  expect(isStopMarker(PRIQ_SSV)).toBe(false);
  expect(describePriqRecord(Int32Array.of(1, PRIQ_LAST | PRIQ_SSV | 9, 0, 0), 0)).toMatchObject({
    name: 'STOP_MARKER',
    values: { streamId: 1, substreamId: 9 },
  });
});

test('reserved encodings are refused by the strict reader', () => {
  const describe = (w0High: number, w1Low: number) => () => describePriqRecord(Int32Array.of(1, w0High, w1Low, 0), 0);
  expect(describe(1 << 20, 0)).toThrow('describePriqRecord: w0 = 1048576: sets reserved bits 57:52 (EINVAL)');
  expect(describe(PRIQ_READ, 0x200)).toThrow('w1 = 512: sets reserved bits 11:9');
  expect(describe(PRIQ_READ | PRIQ_EXEC, 0)).toThrow('has EXEC or PRIV without a SubstreamID');
  expect(describe(PRIQ_READ, 3)()).toMatchObject({ name: 'PAGE_REQUEST', values: { prgIndex: 3 } });
  expect(() => encodePriqRecord(new Int32Array(4), 0, { prgIndex: 512 })).toThrow('prgIndex = 512');
});
