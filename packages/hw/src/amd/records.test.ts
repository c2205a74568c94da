import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/pri-port.layout.ts';
import { type Field, type FieldValues, fieldMax } from '../smmu-v3/fields.ts';
import {
  CMD_COMPLETE_PPR_REQUEST,
  CMD_COMPLETION_WAIT,
  CMD_INVALIDATE_IOTLB_PAGES,
  COMMAND_KINDS,
  commandDevice,
  commandOp,
  completePprGroup,
  completePprPasid,
  completePprStatus,
  decodeCommand,
  encodeCommand,
  iotlbMaxPend,
  iotlbPasid,
  LAST_PAGE_NUMBER,
  rangePageHi,
  rangePageLo,
  rangeSizeLg2,
  waitStores,
  waitWordAt,
  writeCompletePpr,
  writeCompletionWait,
  writeInvalidateDevtabEntry,
  writeInvalidateIommuPages,
  writeInvalidateIotlbPages,
  writeNothing,
} from './commands.ts';
import { decodeDte, encodeDte, gcr3Fields, gcr3Page } from './dte.ts';
import {
  decodeEventEntry,
  EVENT_COMMAND_HARDWARE_ERROR,
  EVENT_ILLEGAL_COMMAND_ERROR,
  EVENT_INVALID_PPR_REQUEST,
  EVENT_IO_PAGE_FAULT,
  EVENT_IOTLB_INV_TIMEOUT,
  EVENT_KINDS,
  encodeEventEntry,
  eventName,
  writeCommandEvent,
  writeInvalidPprRequest,
} from './event-log.ts';
import {
  decodePprEntry,
  encodePprEntry,
  PPR_KINDS,
  pprDevice,
  pprGroup,
  pprIsStopMarker,
  pprPasid,
  pprPerm,
  writePprEntry,
} from './ppr-log.ts';
import type { RecordKind } from './records.ts';
import { baseEntries, baseWordAt, writeBase } from './registers.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const fresh = (): Int32Array => new Int32Array(4).fill(-1);
const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** Values that fit every field: for fields that keep their place, only the field's own bits. */
function valuesOf(fields: readonly Field[]): fc.Arbitrary<FieldValues> {
  const entries = fields
    .filter((f) => f.name !== 'type')
    .map((f): [string, fc.Arbitrary<number>] => {
      const max = fieldMax(f);
      return [f.name, f.inPlace ? u32.map((v) => (v & max) >>> 0) : fc.integer({ min: 0, max })];
    });
  return fc.record(Object.fromEntries(entries)) as fc.Arbitrary<FieldValues>;
}

describe('PPR log entries', () => {
  // Device 0x1234, PASID 0xabcde, group 0x1a5, last, a supervisor's instruction read at 0xfedcba9876543000:
  // w0 low is PASID[15:0] and device; w0 high type 1, GN bit 24, READ 18, EXEC 17, PASID[19:16] 13:10, last 9, group 8:0.
  const entry = ['bcde1234', '11062ba5', '76543000', 'fedcba98'];

  test('by hand, from the table', () => {
    const words = fresh();
    encodePprEntry(words, 0, 1, {
      ...{ device: 0x1234, pasidLo: 0xbcde, pasidHi: 0xa, prgIndex: 0x1a5, last: 1, exec: 1, read: 1, gn: 1 },
      ...{ addressLo: 0x76543000, addressHi: 0xfedcba98 },
    });
    expect(hex(words)).toEqual(entry);
  });

  test('by hand, from the fault path, and back', () => {
    const words = fresh();
    const flags = REQUEST_READ | REQUEST_EXEC | REQUEST_PRIV | REQUEST_LAST | REQUEST_PASID_VALID;
    writePprEntry(words, 0, 0x1234, 0xabcde, 0x1a5, flags, 0xa9876543 | 0, 0xfedcb);
    expect(hex(words)).toEqual(entry);
    expect([pprDevice(words, 0), pprPasid(words, 0), pprGroup(words, 0), pprPerm(words[1])]).toEqual([
      0x1234,
      0xabcde,
      0x1a5,
      1 | 4 | 8,
    ]);
  });

  test('a user write without a PASID, not the last', () => {
    const words = fresh();
    writePprEntry(words, 0, 0xff, 0xabcde, 5, REQUEST_WRITE, 1, 0);
    expect(hex(words)).toEqual(['000000ff', '10600005', '00001000', '00000000']);
    expect(pprPerm(words[1])).toBe(2);
  });

  test('a stop marker is last, has a PASID and asks for nothing', () => {
    const words = fresh();
    const marks = (flags: number): boolean => {
      writePprEntry(words, 0, 1, 1, 1, flags, 0, 0);
      return pprIsStopMarker(words[1]);
    };
    expect(marks(REQUEST_LAST | REQUEST_PASID_VALID)).toBe(true);
    expect(marks(REQUEST_LAST)).toBe(false);
    expect(marks(REQUEST_PASID_VALID)).toBe(false);
    expect(marks(REQUEST_LAST | REQUEST_PASID_VALID | REQUEST_READ)).toBe(false);
    expect(marks(REQUEST_LAST | REQUEST_PASID_VALID | REQUEST_WRITE)).toBe(false);
  });

  test('unknown types and reserved bits are refused', () => {
    const words = Int32Array.of(0, 0x20000000, 0, 0);
    expect(() => decodePprEntry(words, 0)).toThrow('decodePprEntry: type = 2: is unknown or reserved (EINVAL)');
    words.set([0, 0x10000000 | (1 << 14), 0, 0]);
    expect(() => decodePprEntry(words, 0)).toThrow('PAGE_SERVICE_REQUEST bit = 46: is reserved and set (EINVAL)');
    expect(() => encodePprEntry(words, 0, 3, {})).toThrow('(ENOENT)');
    expect(() => encodePprEntry(words, 0, 1, { pasidHi: 16 })).toThrow('pasidHi = 16');
  });
});

describe('event log entries', () => {
  test('IO_PAGE_FAULT by hand', () => {
    const words = fresh();
    encodeEventEntry(words, 0, EVENT_IO_PAGE_FAULT, {
      ...{ device: 0x1234, pasidHi: 0xa, domainOrPasidLo: 0xbcde, gn: 1, user: 1, write: 1, permission: 1 },
      ...{ addressLo: 0x76543210, addressHi: 0xfedcba98 },
    });
    // w0 high: type 2, permission bit 22, write 21, user 18, GN 16
    expect(hex(words)).toEqual(['000a1234', '2065bcde', '76543210', 'fedcba98']);
  });

  test('INVALID_PPR_REQUEST by hand, from the fault path', () => {
    const words = fresh();
    const flags = REQUEST_WRITE | REQUEST_LAST | REQUEST_PASID_VALID;
    writeInvalidPprRequest(words, 0, 0x1234, 0xabcde, 0x1a5, flags, 0xa9876543 | 0, 0xfedcb);
    // type 9, GN bit 24, user 22, write 21, then as in the PPR log
    expect(hex(words)).toEqual(['bcde1234', '91602ba5', '76543000', 'fedcba98']);
    expect(decodeEventEntry(words, 0)).toMatchObject({
      name: 'INVALID_PPR_REQUEST',
      values: { type: EVENT_INVALID_PPR_REQUEST, prgIndex: 0x1a5, last: 1, write: 1, read: 0, pasidHi: 0xa },
    });
  });

  test('events about commands by hand', () => {
    const words = fresh();
    writeCommandEvent(words, 0, EVENT_ILLEGAL_COMMAND_ERROR, 0, 0x12345670, 0x89);
    expect(hex(words)).toEqual(['00000000', '50000000', '12345670', '00000089']);
    writeCommandEvent(words, 0, EVENT_COMMAND_HARDWARE_ERROR, 0, 0x1234567f, 0);
    expect(hex(words)).toEqual(['00000000', '60000000', '12345670', '00000000']);
    writeCommandEvent(words, 0, EVENT_IOTLB_INV_TIMEOUT, 0xbeef, 0x10, 0);
    expect(hex(words)).toEqual(['0000beef', '70000000', '00000010', '00000000']);
    expect(decodeEventEntry(words, 0).name).toBe('IOTLB_INV_TIMEOUT');
  });

  test('unknown types and reserved bits are refused', () => {
    const words = Int32Array.of(0, 0xd0000000 | 0, 0, 0);
    expect(() => decodeEventEntry(words, 0)).toThrow('decodeEventEntry: type = 13');
    expect(eventName(13)).toBe('');
    expect(eventName(7)).toBe('IOTLB_INV_TIMEOUT');
    words.set([0, 0x50000000, 1, 0]);
    expect(() => decodeEventEntry(words, 0)).toThrow('ILLEGAL_COMMAND_ERROR bit = 64');
  });
});

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
    expect(() => decodeCommand(words, 0)).toThrow('COMPLETE_PPR_REQUEST bit = 105');
  });
});

test.each([
  ['PPR log', PPR_KINDS, encodePprEntry, decodePprEntry],
  ['event', EVENT_KINDS, encodeEventEntry, decodeEventEntry],
  ['command', COMMAND_KINDS, encodeCommand, decodeCommand],
])('every %s record comes back as it was encoded', (_name, kinds: readonly RecordKind[], encode, decode) => {
  for (const kind of kinds)
    fc.assert(
      fc.property(valuesOf(kind.fields), (values) => {
        const words = fresh();
        encode(words, 0, kind.type, values);
        expect(decode(words, 0)).toEqual({ name: kind.name, values: { ...values, type: kind.type } });
      }),
      { numRuns: 50 },
    );
});

describe('device table entries', () => {
  const values = {
    ...{ v: 1, tv: 1, mode: 4, rootLo: 0x12345000, rootHi: 0xabcde, ppr: 1, giov: 1, gv: 1, ir: 1, iw: 1 },
    ...{ domain: 0x4321, iotlb: 1, guestMode: 1, ...gcr3Fields(0x123456789a) },
  };
  const words = ['12345803', '68dabcde', 'cf134321', '12345001', '00000000', '00400000', '00000000', '00000000'];

  test('by hand, both ways', () => {
    const at = new Int32Array(8).fill(-1);
    encodeDte(at, 0, values);
    expect(hex(at)).toEqual(words);
    const back = decodeDte(at, 0);
    expect(back).toMatchObject(values);
    expect(gcr3Page(back)).toBe(0x123456789a);
  });

  test('reserved bits are refused', () => {
    const at = new Int32Array(8);
    at[0] = 1 << 2;
    expect(() => decodeDte(at, 0)).toThrow('decodeDte: bit = 2');
    expect(() => encodeDte(at, 0, { glx: 4 })).toThrow('glx = 4');
  });
});

test('a base register by hand, both ways', () => {
  const words = new Int32Array(2);
  writeBase(words, 0, 0x54321 * 1024, 512);
  expect(hex(words)).toEqual(['54321000', '09000000']);
  expect([baseEntries(words, 0), baseWordAt(words, 0)]).toEqual([512, 0x54321 * 1024]);
  words[1] = 7 << 24;
  expect(baseEntries(words, 0)).toBe(0);
  expect(() => writeBase(words, 0, 1024, 128)).toThrow('entries = 128');
  expect(() => writeBase(words, 0, 1000, 256)).toThrow('4 KiB aligned');
});
