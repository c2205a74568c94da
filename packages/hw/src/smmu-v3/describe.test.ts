import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  COMMAND_KINDS,
  describeCommand,
  describeEvent,
  EVENT_KINDS,
  encodeCommand,
  encodeEvent,
  type RecordView,
  viewCommand,
  viewEvent,
  viewPriqRecord,
} from './index.ts';

test.each(EVENT_KINDS)('event $name is read as it was written', ({ id, name, fields }) => {
  const words = new Int32Array(8);
  encodeEvent(words, 0, id, {});
  expect(describeEvent(words, 0)).toMatchObject({ name, values: { id } });
  expect(fields.length).toBe(Object.keys(describeEvent(words, 0).values).length);
});

test.each(COMMAND_KINDS)('command $name is read as it was written', ({ op, name }) => {
  const words = new Int32Array(4);
  encodeCommand(words, 0, op, {});
  expect(describeCommand(words, 0)).toMatchObject({ name, values: { op } });
});

test.each([
  [[0x99], 'describeEvent: id = 153: is no event of SMMUv3 (ENOENT)'],
  [[0x02, 1, 1 << 31], 'describeEvent: w1 = 2147483648: sets reserved bit 31 (EINVAL)'], // Stall where none may be
  [[0x06 | (1 << 11), 1], 'w0 = 2054: sets reserved bit 11'],
  [[0x10, 1, 0, 3 << 8], 'class = 3: is reserved'],
  [[0x10, 1, 0, 1 << 12], 'w1 = 4096: sets reserved bit 44'], // TTRnW belongs to F_PERMISSION
  [[0x10, 1, 0, 0, 0, 0, 0, 1 << 24], 'w3 = 16777216: sets reserved bit 56'],
])('no event: %j', (record, message) => {
  expect(() =>
    describeEvent(
      Int32Array.from({ length: 8 }, (_, i) => record[i] ?? 0),
      0,
    ),
  ).toThrow(message);
});

test.each([
  [[0xff], 'describeCommand: op = 255: is no command of SMMUv3 (ENOENT)'],
  [[0x00], 'op = 0'],
  [[0x46 | (3 << 12)], 'cs = 3: is reserved (EINVAL)'],
  [[0x41, 0, 3 << 12], 'resp = 3: is reserved'],
  [[0x40, 0, 53], 'size = 53: is reserved'],
  [[0x45 | (1 << 10)], 'w0 = 1093: sets reserved bit 10'],
  [[0x44, 1, 1 << 16], 'w1 = 65536: sets reserved bit 16'],
])('no command: %j', (record, message) => {
  expect(() =>
    describeCommand(
      Int32Array.from({ length: 4 }, (_, i) => record[i] ?? 0),
      0,
    ),
  ).toThrow(message);
});

test('whatever the words, the answer is a record that encodes to them, or an error by name', () => {
  const words = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(words, fc.constantFrom(...EVENT_KINDS), fc.constantFrom(...COMMAND_KINDS), (raw, event, command) => {
      const record = Int32Array.from(raw, (word) => word & (raw[0] & 1 ? 0 : -1));
      const back = new Int32Array(8);
      record[0] = (record[0] & ~0xff) | event.id;
      try {
        const { id, ...values } = describeEvent(record, 0).values;
        encodeEvent(back, 0, id, values);
        expect([...back]).toEqual([...record]);
      } catch (error) {
        expect(error).toMatchObject({ name: 'IommuError', code: 'EINVAL' });
      }
      record[0] = (record[0] & ~0xff) | command.op;
      try {
        const { op, ...values } = describeCommand(record, 0).values;
        encodeCommand(back, 0, op, values);
        expect([...back.subarray(0, 4)]).toEqual([...record.subarray(0, 4)]);
      } catch (error) {
        expect(error).toMatchObject({ name: 'IommuError', code: 'EINVAL' });
      }
    }),
  );
});

describe('everything that is wrong with a record', () => {
  const read = (view: (words: Int32Array, at: number) => RecordView, words: readonly number[]): RecordView => {
    const record = new Int32Array(8);
    record.set(words, 0);
    return view(record, 0);
  };

  // F_ACCESS: bits 10:8 of w0 are reserved, 30:16 of w1, 63:44 of w1 but CLASS 41:40, S2 39 and 35:33, and 11:0 and 63:56 of w3.
  test('of an event', () => {
    const words = [0x12 | (3 << 8), 7, (1 << 16) | (1 << 30), (3 << 8) | (1 << 12) | (1 << 0), 0, 0, 1, 1 << 31];
    expect(read(viewEvent, words)).toMatchObject({
      kind: 'F_ACCESS',
      fields: { streamId: 7, class: 3 },
      errors: [
        'w0 = 786: sets reserved bits 8, 9',
        'w1 = 1073807360: sets reserved bits 16, 30',
        'w1 = 4865: sets reserved bits 32, 44',
        'w3 = 1: sets reserved bit 0',
        'w3 = 2147483648: sets reserved bit 63',
        'class = 3: is reserved',
      ],
    });
    expect(read(viewEvent, [0x77])).toEqual({
      kind: '',
      fields: { id: 0x77 },
      errors: ['id = 119: is no event of SMMUv3'],
    });
  });

  test('of a command', () => {
    expect(read(viewCommand, [0x40 | (1 << 8), 7, 63, 0])).toMatchObject({
      kind: 'ATC_INV',
      fields: { streamId: 7, size: 63 },
      errors: ['w0 = 320: sets reserved bit 8', 'size = 63: is reserved'],
    });
    expect(read(viewCommand, [0x41, 0, (3 << 12) | (1 << 9), 1])).toMatchObject({
      errors: ['w1 = 12800: sets reserved bit 9', 'w1 = 1: sets reserved bit 32', 'resp = 3: is reserved'],
    });
    expect(read(viewCommand, [0xff]).errors).toEqual(['op = 255: is no command of SMMUv3']);
    expect(read(viewCommand, [0x46]).errors).toEqual([]);
  });

  test('of a page request', () => {
    expect(read(viewPriqRecord, [7, (1 << 27) | (1 << 20), 0x200, 0])).toMatchObject({
      kind: 'PAGE_REQUEST',
      fields: { streamId: 7, exec: 1, ssv: 0 },
      errors: [
        'w0 = 135266304: sets reserved bits 57:52',
        'w1 = 512: sets reserved bits 11:9',
        'w0 = 135266304: has EXEC or PRIV without a SubstreamID',
      ],
    });
    expect(read(viewPriqRecord, [7, 0xd0000009 | 0, 5, 0])).toMatchObject({ kind: 'PAGE_REQUEST', errors: [] });
    expect(read(viewPriqRecord, [7, 0xc0000009 | 0, 5, 0])).toMatchObject({ kind: 'STOP_MARKER', errors: [] });
  });

  test('is nothing exactly where the strict reader takes it', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 8, maxLength: 8 }),
        fc.array(word, { minLength: 8, maxLength: 8 }),
        (a, b) => {
          const record = Int32Array.from(a, (w, i) => w & b[i] & b[(i + 1) % 8] & b[(i + 3) % 8]); // few bits
          for (const [view, strict] of [
            [viewEvent, describeEvent],
            [viewCommand, describeCommand],
          ] as const) {
            const { kind, errors } = view(record, 0);
            if (errors.length === 0) expect(strict(record, 0).name).toBe(kind);
            else expect(() => strict(record, 0)).toThrow(errors[0]);
          }
        },
      ),
    );
  });
});
