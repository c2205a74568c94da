import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COMMAND_KINDS, describeCommand, describeEvent, EVENT_KINDS, encodeCommand, encodeEvent } from './index.ts';

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
