import * as amd from '@faultline/hw/amd';
import type { Field } from '@faultline/hw/smmu-v3';
import * as smmu from '@faultline/hw/smmu-v3';
import * as vtd from '@faultline/hw/vtd';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeJson } from './host.test-help.ts';
import { QUEUES } from './run.ts';

type Values = Record<string, number>;
interface Kind {
  readonly fields: readonly Field[];
  readonly names: readonly string[];
  encode(words: Int32Array, values: Values): void;
}

/** Every kind of every queue, with its encoder. */
const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  'smmu-v3 evtq': smmu.EVENT_KINDS.map(({ id, name, fields }) => ({
    ...{ fields, names: [name], encode: (words, values) => smmu.encodeEvent(words, 0, id, values) },
  })),
  'smmu-v3 cmdq': smmu.COMMAND_KINDS.map(({ op, name, fields }) => ({
    ...{ fields, names: [name], encode: (words, values) => smmu.encodeCommand(words, 0, op, values) },
  })),
  'smmu-v3 priq': [
    {
      ...{ fields: smmu.PRIQ_FIELDS, names: ['PAGE_REQUEST', 'STOP_MARKER'] },
      encode: (words, values) => smmu.encodePriqRecord(words, 0, values),
    },
  ],
  'vtd prq': [
    {
      ...{ fields: vtd.PAGE_REQUEST_FIELDS, names: ['PAGE_REQUEST', 'STOP_MARKER'] },
      encode: (words, values) => vtd.encodePageRequest(words, 0, values),
    },
  ],
  'vtd iq': vtd.INVALIDATION_KINDS.map(({ type, name, fields }) => ({
    ...{ fields, names: [name], encode: (words, values) => vtd.encodeInvalidation(words, 0, type, values) },
  })),
  'vtd fault': [
    {
      ...{ fields: vtd.FAULT_RECORD_FIELDS, names: ['FAULT'] },
      encode: (words, values) => vtd.encodeFaultRecord(words, 0, values),
    },
  ],
  'amd ppr': amdKinds(amd.PPR_KINDS, amd.encodePprEntry),
  'amd cmd': amdKinds(amd.COMMAND_KINDS, amd.encodeCommand),
  'amd event': amdKinds(amd.EVENT_KINDS, amd.encodeEventEntry),
};

function amdKinds(
  kinds: readonly amd.RecordKind[],
  encode: (words: Int32Array, at: number, type: number, values: Values) => void,
): Kind[] {
  return kinds.map(({ type, name, fields }) => ({
    ...{ fields, names: [name], encode: (words, values) => encode(words, 0, type, values) },
  }));
}

/** Which the encoders write by themselves. */
const OWN = new Set(['id', 'op', 'type', 'typeHigh']);

function hex(words: Int32Array): string {
  const half = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return Array.from({ length: words.length / 2 }, (_, i) => half(words[2 * i + 1]) + half(words[2 * i])).join(' ');
}

test('every queue is here', () => {
  expect(Object.keys(KINDS)).toEqual(QUEUES.map(({ family, name }) => `${family} ${name}`));
});

test.each(QUEUES)('$family $name: what is encoded decodes to the same fields', async (queue) => {
  const kinds = KINDS[`${queue.family} ${queue.name}`];
  const words = new Int32Array(2 * queue.sizes[0]);
  const record = fc.constantFrom(...kinds).chain((kind) => {
    const named = kind.fields.filter(({ name }) => !OWN.has(name));
    return fc.tuple(fc.constant(kind), fc.tuple(...named.map(fieldValue))).map(([, values]) => ({
      kind,
      values: Object.fromEntries(named.map(({ name }, i) => [name, values[i]])),
    }));
  });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
      const lines = records.map(({ kind, values }) => {
        kind.encode(words, values);
        return hex(words);
      });
      const decoded = await decodeJson(queue.family, queue.name, lines.join('\n'));
      expect(decoded.length).toBe(records.length);
      for (const [i, { kind, values }] of records.entries()) {
        expect(kind.names).toContain(decoded[i].kind);
        for (const [name, value] of Object.entries(values))
          expect([name, partOf(decoded[i], kind.fields, name, queue.names)]).toEqual([name, value]);
      }
    }),
    { numRuns: 50 },
  );
});

function fieldValue({ hi, lo, inPlace }: Field): fc.Arbitrary<number> {
  const any = fc.integer({ min: 0, max: 2 ** (hi - lo + 1) - 1 });
  return inPlace ? any.map((value) => value * 2 ** (lo % 32)) : any;
}

/** The part of the decoded whole that a table's field is. */
function partOf(
  { kind, fields: decoded }: { kind: string; fields: Record<string, number | string> },
  fields: readonly Field[],
  name: string,
  names: (typeof QUEUES)[number]['names'],
): number {
  const half = fields.some((f) => f.inPlace && f.name === `${name.slice(0, -2)}Lo`);
  const base = half ? name.slice(0, -2) : name;
  const given = names[`${kind}.${base}`] ?? names[base] ?? base;
  const [whole, shift] = typeof given === 'string' ? [given, half && name.endsWith('Hi') ? 32 : 0] : given;
  const field = fields.find((f) => f.name === name) as Field;
  const width = half ? 32 : field.hi - field.lo + 1;
  return Number((BigInt(decoded[whole]) >> BigInt(shift)) & ((1n << BigInt(width)) - 1n));
}
