import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_WRITE } from '../pcie/pri-port.layout.ts';
import {
  decodeEventEntry,
  describeEventEntry,
  EVENT_COMMAND_HARDWARE_ERROR,
  EVENT_ILLEGAL_COMMAND_ERROR,
  EVENT_INVALID_PPR_REQUEST,
  EVENT_IO_PAGE_FAULT,
  EVENT_IOTLB_INV_TIMEOUT,
  encodeEventEntry,
  eventName,
  writeCommandEvent,
  writeInvalidPprRequest,
} from './event-log.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const fresh = (): Int32Array => new Int32Array(4).fill(-1);

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
    expect(() => decodeEventEntry(words, 0)).toThrow('"ILLEGAL_COMMAND_ERROR": w1: bit 0 is reserved and set');
  });

  test('everything that is wrong is said', () => {
    const words = Int32Array.of(0x00010000, 0x50000000, 3, 0);
    expect(describeEventEntry(words, 0).errors).toEqual([
      'w0: bit 16 is reserved and set',
      'w1: bit 0 is reserved and set',
      'w1: bit 1 is reserved and set',
    ]);
    words.set([0x00050010, 0x90000000 | 0, 0, 0]);
    expect(describeEventEntry(words, 0)).toMatchObject({ kind: 'INVALID_PPR_REQUEST', errors: ['PASID without GN'] });
  });

  // Bits of the flags, counted from bit 32, and where each event has its PASID.
  test.each([
    [1, { device: 0xbeef, pasidHi: 0xa, pasidLo: 0xbcde, gn: 1 }, ['000abeef', '1001bcde', '00000000', '00000000']],
    [
      1,
      { interrupt: 1, write: 1, reservedNonzero: 1, translation: 1 },
      ['00000000', '11a80000', '00000000', '00000000'],
    ],
    [2, { nx: 1, user: 1, interrupt: 1, present: 1 }, ['00000000', '201e0000', '00000000', '00000000']],
    [
      2,
      { write: 1, permission: 1, reservedNonzero: 1, translation: 1 },
      ['00000000', '21e00000', '00000000', '00000000'],
    ],
    [3, { device: 1, interrupt: 1, translation: 1, error: 3 }, ['00000001', '37080000', '00000000', '00000000']],
    [4, { device: 1, domainOrPasidLo: 0x21, error: 2 }, ['00000001', '44000021', '00000000', '00000000']],
    [6, { flags: 0xfff, addressLo: 0x10, addressHi: 7 }, ['00000000', '6fff0000', '00000010', '00000007']],
    [8, { device: 1, user: 1, translation: 1, request: 5 }, ['00000001', '8b020000', '00000000', '00000000']],
    [10, { noteHi: 0xabcde, noteLo: 0x12345678 }, ['00000000', 'a0000000', '000abcde', '12345678']],
  ])('event %i by hand: %j', (type, values, expected) => {
    const words = fresh();
    encodeEventEntry(words, 0, type, values);
    expect(hex(words)).toEqual(expected);
  });
});
