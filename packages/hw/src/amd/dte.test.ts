import { describe, expect, test } from 'vitest';
import { decodeDte, describeDte, encodeDte, gcr3Fields, gcr3Page } from './dte.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));

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
    expect(() => decodeDte(at, 0)).toThrow('decodeDte: record = "DEVICE_TABLE_ENTRY": w0: bit 2 is reserved and set');
    expect(() => encodeDte(at, 0, { glx: 4 })).toThrow('glx = 4');
  });

  test('host access and dirty bits, and the page request bit', () => {
    const at = new Int32Array(8);
    encodeDte(at, 0, { had: 3, ppr: 1 });
    expect(hex(at).slice(0, 2)).toEqual(['00000180', '00100000']);
  });

  test('everything that is wrong is said, as far as V says that it counts', () => {
    const at = new Int32Array(8);
    encodeDte(at, 0, { v: 1, tv: 1, mode: 7, gv: 1, glx: 3, guestMode: 2 });
    at[0] |= (1 << 2) | (1 << 5);
    expect(describeDte(at, 0).errors).toEqual([
      'w0: bit 2 is reserved and set',
      'w0: bit 5 is reserved and set',
      'mode 7 is reserved',
      'glx 3 is reserved',
      'guestMode 2 is reserved',
    ]);
    expect(() => decodeDte(at, 0)).toThrow('w0: bit 2 is reserved and set; w0: bit 5 is reserved and set (EINVAL)');
    encodeDte(at, 0, { mode: 7, glx: 3, guestMode: 2 });
    expect(describeDte(at, 0).errors).toEqual([]);
  });
});
