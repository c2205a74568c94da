import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CMD_COMPLETE_PPR_REQUEST,
  CMD_COMPLETION_WAIT,
  CMD_INVALIDATE_IOTLB_PAGES,
  commandDevice,
  commandOp,
  completePprGroup,
  completePprPasid,
  completePprStatus,
  decodeCommand,
  describeCommand,
  encodeCommand,
  iotlbMaxPend,
  iotlbPasid,
  waitInterrupts,
  waitStores,
  waitWordAt,
  writeCompletePpr,
  writeCompletionWait,
  writeInvalidateDevtabEntry,
  writeInvalidateIommuPages,
  writeInvalidateIotlbPages,
  writeNothing,
} from './commands.ts';
import { LAST_PAGE_NUMBER, rangePageHi, rangePageLo, rangeSizeLg2 } from './page-range.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const fresh = (): Int32Array => new Int32Array(4).fill(-1);

describe('commands', () => {
  test('COMPLETE_PPR_REQUEST by hand, both ways', () => {
    const words = fresh();
    encodeCommand(words, 0, CMD_COMPLETE_PPR_REQUEST, {
      device: 0x1234,
      pasid: 0xabcde,
      gn: 1,
      prgIndex: 0x1a5,
      status: 15,
    });
    expect(hex(words)).toEqual(['00001234', '700abcde', '00000004', '0000f1a5']);
    words.fill(-1);
    writeCompletePpr(words, 0, 0x1234, 0xabcde, 0x1a5, 15);
    expect(hex(words)).toEqual(['00001234', '700abcde', '00000004', '0000f1a5']);
    expect([commandOp(words, 0), commandDevice(words, 0)]).toEqual([7, 0x1234]);
    expect([completePprPasid(words, 0), completePprGroup(words, 0), completePprStatus(words, 0)]).toEqual([
      0xabcde, 0x1a5, 15,
    ]);
    writeCompletePpr(words, 0, 0x1234, -1, 1, 1);
    expect(hex(words)).toEqual(['00001234', '70000000', '00000000', '00001001']);
    expect(completePprPasid(words, 0)).toBe(-1);
  });

  test('COMPLETION_WAIT by hand, both ways', () => {
    const words = fresh();
    encodeCommand(words, 0, CMD_COMPLETION_WAIT, { s: 1, storeLo: 8, storeHi: 1, dataLo: 0x89abcdef });
    expect(hex(words)).toEqual(['00000009', '10000001', '89abcdef', '00000000']);
    words.fill(-1);
    writeCompletionWait(words, 0, 0x40000002, 0x89abcdef | 0); // byte address 0x1_0000_0008
    expect(hex(words)).toEqual(['00000009', '10000001', '89abcdef', '00000000']);
    expect([waitStores(words, 0), waitWordAt(words, 0)]).toEqual([true, 0x40000002]);
    writeNothing(words, 0);
    expect(hex(words)).toEqual(['00000000', '10000000', '00000000', '00000000']);
    expect(waitStores(words, 0)).toBe(false);
  });

  test('INVALIDATE_DEVTAB_ENTRY by hand', () => {
    const words = fresh();
    writeInvalidateDevtabEntry(words, 0, 0xbeef);
    expect(hex(words)).toEqual(['0000beef', '20000000', '00000000', '00000000']);
  });

  test.each([
    ['one page', -1, 0x12345, 0x12345, ['00000000', '3000beef', '12345002', '00000000']],
    ['sixteen pages', -1, 0x10, 0x1f, ['00000000', '3000beef', '00017003', '00000000']],
    ['two pages over a boundary of eight', -1, 0x7, 0x8, ['00000000', '3000beef', '00007003', '00000000']],
    ['2^34 pages of a PASID', 0x54321, 0, 2 ** 34 - 1, ['00054321', '3000beef', 'fffff007', '00001fff']],
    ['everything', -1, 0, LAST_PAGE_NUMBER, ['00000000', '3000beef', 'fffff003', '7fffffff']],
  ])('INVALIDATE_IOMMU_PAGES by hand: %s', (_name, pasid, first, last, expected) => {
    const words = fresh();
    writeInvalidateIommuPages(words, 0, 0xbeef, pasid, first, last);
    expect(hex(words)).toEqual(expected);
  });

  test('INVALIDATE_IOTLB_PAGES by hand, both ways', () => {
    const words = fresh();
    // PASID[15:8] in 23:16, [7:0] in 55:48, [19:16] in 59:56; maxPend 31:24; the device again as the queue
    writeInvalidateIotlbPages(words, 0, 0x1234, 0x20, 0xabcde, 1, 1);
    expect(hex(words)).toEqual(['20bc1234', '4ade1234', '00001004', '00000000']);
    expect([iotlbPasid(words, 0), iotlbMaxPend(words, 0)]).toEqual([0xabcde, 0x20]);
    writeInvalidateIotlbPages(words, 0, 0x1234, 0, -1, 0, LAST_PAGE_NUMBER);
    expect(hex(words)).toEqual(['00001234', '40001234', 'fffff001', '7fffffff']);
    expect(iotlbPasid(words, 0)).toBe(-1);
    expect(decodeCommand(words, 0).values.type).toBe(CMD_INVALIDATE_IOTLB_PAGES);
  });

  test('a range read back is the smallest aligned power of two that covers it', () => {
    const page = fc.integer({ min: 0, max: LAST_PAGE_NUMBER });
    const near = fc.tuple(page, fc.integer({ min: 0, max: 2 ** 20 }));
    const pair = fc.oneof(
      fc.tuple(page, page),
      near.map(([a, n]): [number, number] => [a, Math.min(a + n, LAST_PAGE_NUMBER)]),
    );
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [first, last] = a <= b ? [a, b] : [b, a];
        const words = new Int32Array(4);
        writeInvalidateIommuPages(words, 0, 1, -1, first, last);
        const lg2 = rangeSizeLg2(words, 0);
        const start = rangePageHi(words, 0, lg2) * 2 ** 32 + (rangePageLo(words, 0, lg2) >>> 0);
        const half = 2 ** (lg2 - 1);
        expect(start % 2 ** lg2).toBe(0);
        expect(start <= first && last < start + 2 ** lg2).toBe(true);
        // No half of it would do; but what differs above address bit 51 is everything.
        if (lg2 > 0 && lg2 < 52) expect(Math.floor(first / half)).not.toBe(Math.floor(last / half));
        if (lg2 > 40) expect(lg2).toBe(52);
      }),
      { numRuns: 2000 },
    );
  });

  test('unknown opcodes and reserved bits are refused', () => {
    const words = Int32Array.of(0, 0x60000000, 0, 0);
    expect(() => decodeCommand(words, 0)).toThrow('decodeCommand: type = 6');
    writeCompletePpr(words, 0, 1, 1, 1, 0);
    words[3] |= 1 << 9; // CompletionTag[11:9] must be zero
    expect(() => decodeCommand(words, 0)).toThrow('"COMPLETE_PPR_REQUEST": w1: bit 41 is reserved and set');
  });

  test('everything that is wrong is said', () => {
    const words = Int32Array.of(0x00010010, 0x70000005, 0, 0x2000); // status 2 is what Linux writes for Failure
    expect(describeCommand(words, 0).errors).toEqual([
      'w0: bit 16 is reserved and set',
      'status 2 is reserved',
      'PASID without GN',
    ]);
    words.set([0, 0x40000000, 0x30, 0]);
    expect(describeCommand(words, 0).errors).toEqual(['kind 3 is reserved']);
    for (const status of [0, 1, 15]) {
      writeCompletePpr(words, 0, 1, 5, 1, status);
      expect(describeCommand(words, 0).errors).toEqual([]);
    }
    words.set([5, 0x30000000, 0, 0]); // an invalidation ignores the PASID without GN
    expect(describeCommand(words, 0).errors).toEqual([]);
  });

  test('the interrupt of COMPLETION_WAIT, INVALIDATE_INTERRUPT_TABLE and INVALIDATE_IOMMU_ALL by hand', () => {
    const words = fresh();
    encodeCommand(words, 0, 1, { s: 1, i: 1, f: 1 });
    expect([hex(words), waitInterrupts(words, 0)]).toEqual([['00000007', '10000000', '00000000', '00000000'], true]);
    encodeCommand(words, 0, 5, { device: 0xbeef });
    expect(hex(words)).toEqual(['0000beef', '50000000', '00000000', '00000000']);
    encodeCommand(words, 0, 8, {});
    expect(hex(words)).toEqual(['00000000', '80000000', '00000000', '00000000']);
  });
});
