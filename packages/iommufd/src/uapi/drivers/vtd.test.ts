import { expect, test } from 'vitest';
import { type DataStruct, decodeStruct, encodeData, reservedInUse } from '../struct.ts';
import { HW_INFO_VTD, HWPT_VTD_S1, HWPT_VTD_S1_INVALIDATE } from './vtd.ts';

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (each) => Number.parseInt(each, 16));
const viewOf = ({ buffer }: Uint8Array): DataView => new DataView(buffer as ArrayBuffer);

test.each([
  [
    HW_INFO_VTD,
    `01000000${'00000000'}8877665544332211${'efcdab8967452301'}`,
    { flags: 1, capReg: 0x1122334455667788n, ecapReg: 0x0123456789abcdefn },
  ],
  [
    HWPT_VTD_S1,
    '0500000000000000004012000000000039000000' + '00000000',
    { flags: 5n, pgtblAddr: 0x124000n, addrWidth: 57 },
  ],
  [
    HWPT_VTD_S1_INVALIDATE,
    '0030000000000080ffffffffffffffff0100000000000000',
    { addr: 0x8000000000003000n, npages: 2n ** 64n - 1n, flags: 1 },
  ],
])('$name is decoded and encoded byte by byte', (struct: DataStruct, hex, values) => {
  const bytes = bytesOf(hex);
  expect(bytes.length).toBe(struct.bytes);
  expect(decodeStruct(struct, viewOf(bytes))).toEqual(values);
  const encoded = new Uint8Array(struct.bytes).fill(0xff);
  encodeData(struct, values, viewOf(encoded));
  expect(encoded).toEqual(bytes);
  expect(reservedInUse(struct, viewOf(bytes))).toBe(undefined);
  bytes[struct.fields.reserved[1] + 3] = 0x80;
  expect(reservedInUse(struct, viewOf(bytes))).toBe('reserved');
});
