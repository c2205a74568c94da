import { describe, expect, test } from 'vitest';
import {
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/pri-port.layout.ts';
import {
  decodePprEntry,
  describePprEntry,
  encodePprEntry,
  pprDevice,
  pprGroup,
  pprIsStopMarker,
  pprPasid,
  pprPerm,
  writePprEntry,
} from './ppr-log.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const fresh = (): Int32Array => new Int32Array(4).fill(-1);

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
    expect(() => decodePprEntry(words, 0)).toThrow(
      'record = "PAGE_SERVICE_REQUEST": w0: bit 46 is reserved and set (EINVAL)',
    );
    expect(() => encodePprEntry(words, 0, 3, {})).toThrow('(ENOENT)');
    expect(() => encodePprEntry(words, 0, 1, { pasidHi: 16 })).toThrow('pasidHi = 16');
  });

  test('everything that is wrong is said', () => {
    // Bits 46 and 48, reserved; a PASID, but no GN; bit 64, below the address.
    const words = Int32Array.of(0x00050000, 0x10014000, 1, 0);
    const view = describePprEntry(words, 0);
    expect([view.kind, view.fields.pasidLo, view.fields.type]).toEqual(['PAGE_SERVICE_REQUEST', 5, 1]);
    expect(view.errors).toEqual([
      'w0: bit 46 is reserved and set',
      'w0: bit 48 is reserved and set',
      'w1: bit 0 is reserved and set',
      'PASID without GN',
    ]);
    expect(() => decodePprEntry(words, 0)).toThrow('w0: bit 46 is reserved and set; w0: bit 48 is');
    expect(describePprEntry(new Int32Array(4), 0)).toEqual({
      ...{ kind: '', fields: { type: 0 }, errors: ['type 0 is unknown or reserved'] },
    });
  });
});
