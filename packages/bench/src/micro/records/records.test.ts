import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RECORDS } from './index.ts';
import { sumOfFields } from './record.ts';

describe.each(RECORDS)('$family $name', ({ encode, decode, encodeObject, decodeObject, size }) => {
  test('words and objects are two ways to the same record', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.nat(3), (i, slot) => {
        const words = new Int32Array(new SharedArrayBuffer(4 * size * 4));
        const objects = new Int32Array(new SharedArrayBuffer(4 * size * 4));
        const wide = new BigUint64Array(objects.buffer);
        encode(words, slot * size, i);
        const fields = encodeObject(wide, (slot * size) / 2, i);
        expect(words).toEqual(objects);
        expect(decodeObject(wide, (slot * size) / 2)).toEqual(fields);
        expect(decode(words, slot * size)).toBe(sumOfFields(fields));
      }),
    );
  });
});
