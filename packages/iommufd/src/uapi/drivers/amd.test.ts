import { expect, test } from 'vitest';
import { type DataStruct, decodeStruct, encodeData } from '../struct.ts';
import { HW_INFO_AMD, HWPT_AMD_GUEST } from './amd.ts';

test.each([
  [
    HW_INFO_AMD,
    [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01],
    { efr: 0x1122334455667788n, efr2: 0x0123456789abcdefn },
  ],
  [
    HWPT_AMD_GUEST,
    [3, 0, 0, 0, 0, 0, 0, 0x80, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 9, 0, 0, 0, 0, 0, 0, 0],
    { dte0: 0x8000_0000_0000_0003n, dte1: 0x1_0005n, dte2: 0x40_0000_0000_0000n, dte3: 9n },
  ],
])('$name is decoded and encoded byte by byte', (struct: DataStruct, given, values) => {
  const bytes = Uint8Array.from(given);
  expect(bytes.length).toBe(struct.bytes);
  expect(decodeStruct(struct, new DataView(bytes.buffer))).toEqual(values);
  const encoded = new Uint8Array(struct.bytes).fill(0xff);
  encodeData(struct, values, new DataView(encoded.buffer));
  expect(encoded).toEqual(bytes);
});
