import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Field, type FieldValues, fieldMax } from '../record/fields.ts';
import { COMMAND_KINDS, decodeCommand, describeCommand, encodeCommand } from './commands.ts';
import { decodeEventEntry, describeEventEntry, EVENT_KINDS, encodeEventEntry } from './event-log.ts';
import { decodePprEntry, describePprEntry, encodePprEntry, PPR_KINDS } from './ppr-log.ts';
import type { RecordKind } from './records.ts';

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

test.each([
  ['PPR log', PPR_KINDS, encodePprEntry, describePprEntry],
  ['event', EVENT_KINDS, encodeEventEntry, describeEventEntry],
  ['command', COMMAND_KINDS, encodeCommand, describeCommand],
])('every %s record comes back as it was encoded', (_name, kinds: readonly RecordKind[], encode, describe) => {
  for (const kind of kinds)
    fc.assert(
      fc.property(valuesOf(kind.fields), (values) => {
        const words = fresh();
        encode(words, 0, kind.type, values);
        expect(describe(words, 0)).toMatchObject({ kind: kind.name, fields: { ...values, type: kind.type } });
      }),
      { numRuns: 50 },
    );
});

test('a record that nothing is wrong with is decoded, and no other', () => {
  const any = fc.tuple(u32, u32, u32, u32).map((words) => Int32Array.from(words, (word) => word | 0));
  fc.assert(
    fc.property(any, (words) => {
      for (const [describe, decode] of [
        [describePprEntry, decodePprEntry],
        [describeEventEntry, decodeEventEntry],
        [describeCommand, decodeCommand],
      ] as const) {
        const { kind, fields, errors } = describe(words, 0);
        if (errors.length === 0) expect(decode(words, 0)).toEqual({ name: kind, values: fields });
        else expect(() => decode(words, 0)).toThrow('(EINVAL)');
      }
    }),
  );
});
