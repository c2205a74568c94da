import { IommuError } from '@faultline/core/errors';
import { type Field, getFields } from '../record/fields.ts';
import { bitNumbers, type RecordView, reservedBits } from '../record/view.ts';
import { ATC_SIZE_ALL, COMMAND_WORDS, commandKind, commandOp } from './commands.ts';
import { EVENT_WORDS, eventId, eventKind } from './events.ts';

// Readers for people and tests. view* say everything that is wrong with a record; describe* refuse a record that has anything wrong with it, by the
// first of that. Pumps and hardware are lenient instead: they count.

export interface Described {
  readonly name: string;
  readonly values: Record<string, number>;
}

/** One thing that is wrong with a record. */
export interface Flaw {
  readonly field: string;
  readonly value: number;
  readonly why: string;
}

/** A record that was read, and what is wrong with it. */
export interface Judged extends Described {
  readonly flaws: readonly Flaw[];
}

const CLASS_RESERVED = 3;
const CS_RESERVED = 3;
const RESP_RESERVED = 3;

/** Reads an event record: a number that is not defined, reserved bits, Stall where none may be, CLASS 3. */
export function viewEvent(words: Int32Array, at: number): RecordView {
  return view(judgeEvent(words, at));
}

/** Reads an event record that has nothing wrong with it.
 * @throws IommuError ENOENT an event number that is not defined; EINVAL a reserved bit, Stall where none may be, or CLASS 3. */
export function describeEvent(words: Int32Array, at: number): Described {
  return strict('describeEvent', judgeEvent(words, at));
}

function judgeEvent(words: Int32Array, at: number): Judged {
  const id = eventId(words, at);
  const kind = eventKind(id);
  if (kind === undefined) return unknown('id', id, 'is no event of SMMUv3');
  const values = getFields(words, at, kind.fields);
  const flaws = reservedFlaws(words, at, EVENT_WORDS, kind.fields);
  if (values.class === CLASS_RESERVED) flaws.push({ field: 'class', value: values.class, why: 'is reserved' });
  return { name: kind.name, values, flaws };
}

/** Reads a command: an opcode that is not defined, reserved bits, a parameter that every SMMU refuses. */
export function viewCommand(words: Int32Array, at: number): RecordView {
  return view(judgeCommand(words, at));
}

/** Reads a command that has nothing wrong with it.
 * @throws IommuError ENOENT an opcode that is not defined; EINVAL a reserved bit, or a parameter that every SMMU refuses. */
export function describeCommand(words: Int32Array, at: number): Described {
  return strict('describeCommand', judgeCommand(words, at));
}

function judgeCommand(words: Int32Array, at: number): Judged {
  const op = commandOp(words, at);
  const kind = commandKind(op);
  if (kind === undefined) return unknown('op', op, 'is no command of SMMUv3');
  const values = getFields(words, at, kind.fields);
  const flaws = reservedFlaws(words, at, COMMAND_WORDS, kind.fields);
  const refuse = (field: string): number => flaws.push({ field, value: values[field], why: 'is reserved' });
  if (values.cs === CS_RESERVED) refuse('cs');
  if (kind.name === 'PRI_RESP' && values.resp === RESP_RESERVED) refuse('resp');
  if (kind.name === 'ATC_INV' && values.size > ATC_SIZE_ALL) refuse('size');
  return { name: kind.name, values, flaws };
}

function unknown(field: string, value: number, why: string): Judged {
  return { name: '', values: { [field]: value }, flaws: [{ field, value, why }] };
}

/** Everything that is wrong. */
export function view({ name, values, flaws }: Judged): RecordView {
  return { kind: name, fields: values, errors: flaws.map(({ field, value, why }) => `${field} = ${value}: ${why}`) };
}

/** The first thing that is wrong, thrown. @throws IommuError ENOENT without a name, EINVAL */
export function strict(call: string, { name, values, flaws }: Judged): Described {
  for (const { field, value, why } of flaws)
    throw new IommuError(name === '' ? 'ENOENT' : 'EINVAL', call, field, value, why);
  return { name, values };
}

/** One flaw for each of `size` words that sets bits which no field covers; their numbers are those of the 64-bit word. */
function reservedFlaws(words: Int32Array, at: number, size: number, fields: readonly Field[]): Flaw[] {
  const flaws: Flaw[] = [];
  reservedBits(fields, size).forEach((mask, i) => {
    const bits = bitNumbers(words[at + i] & mask, i % 2);
    const why = `sets reserved bit${bits.length === 1 ? '' : 's'} ${bits.join(', ')}`;
    if (bits.length > 0) flaws.push({ field: `w${i >> 1}`, value: words[at + i] >>> 0, why });
  });
  return flaws;
}
