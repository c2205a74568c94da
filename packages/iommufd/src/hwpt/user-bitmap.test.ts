import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BYTES_AT, BytesMemory, PAGE_BYTES, type UserMemory } from '../caller/index.ts';
import { makeRig } from '../testing/rig.test-help.ts';
import { UserBitmap } from './user-bitmap.ts';

test('bits are those of the pages marked, wherever the bitmap lies; nothing else of it changes', () => {
  const page = fc.nat(3 * 8 * PAGE_BYTES);
  const marks = fc.array(fc.tuple(page, fc.oneof(fc.nat(20), page)), { maxLength: 5 });
  fc.assert(
    fc.property(marks, fc.nat(2 * PAGE_BYTES), page, fc.nat(255), (ranges, skew, pages, before) => {
      const whole = Math.ceil((pages + 1) / 8);
      const bytes = new Uint8Array(skew + whole + 1).fill(before);
      const expected = bytes.slice();
      const start = 1n << 40n;
      const bitmap = new UserBitmap(
        new BytesMemory(bytes),
        BYTES_AT + BigInt(skew),
        start,
        start + BigInt(pages) * 4096n + 4095n,
        12,
      );
      for (const [first, more] of ranges) {
        if (first > pages) continue;
        bitmap.mark(start + BigInt(first) * 4096n, start + BigInt(first + more) * 4096n + 4095n);
        for (let i = first; i <= Math.min(first + more, pages); i++) expected[skew + (i >> 3)] |= 1 << (i & 7);
      }
      bitmap.flush();
      expect(Buffer.compare(bytes, expected)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('bits beyond 2^32 have bytes of their own', () => {
  const written: bigint[] = [];
  const memory: Pick<UserMemory, 'read' | 'write'> = {
    read: () => true,
    write(address, from) {
      written.push(address + BigInt(from.findIndex((byte) => byte !== 0)));
      return true;
    },
  };
  const bitmap = new UserBitmap(memory as UserMemory, 0n, 0n, 2n ** 50n - 1n, 12);
  bitmap.mark(2n ** 46n, 2n ** 46n + 4095n);
  bitmap.flush();
  expect(written).toEqual([2n ** 46n / 4096n / 8n]);
});

test('a page of the bitmap that cannot be reached costs its own bits only', () => {
  const { memory } = makeRig();
  const at = memory.mmap(2 * PAGE_BYTES) + 4095n; // one byte in the first page
  memory.munmap(at + 1n, PAGE_BYTES);
  const bitmap = new UserBitmap(memory, at, 0n, 16n * 4096n - 1n, 12);
  bitmap.mark(0n, 16n * 4096n - 1n);
  bitmap.flush();
  const byte = new Uint8Array(1);
  expect([memory.read(at, byte), byte[0]]).toEqual([true, 0xff]);
});
