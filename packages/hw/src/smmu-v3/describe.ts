import { IommuError } from '@faultline/core/errors';
import { ATC_SIZE_ALL, COMMAND_WORDS, commandKind, commandOp } from './commands.ts';
import { EVENT_WORDS, eventId, eventKind } from './events.ts';
import { type Field, fieldMask, getFields } from './fields.ts';

// Strict readers, for people and tests: a record is either what the architecture allows or an error that says what is not. Pumps and hardware are
// lenient instead: they count.

export interface Described {
  readonly name: string;
  readonly values: Record<string, number>;
}

const CLASS_RESERVED = 3;
const CS_RESERVED = 3;
const RESP_RESERVED = 3;

/** Reads an event record.
 * @throws IommuError ENOENT an event number that is not defined; EINVAL a reserved bit, Stall where none may be, or CLASS 3. */
export function describeEvent(words: Int32Array, at: number): Described {
  const call = 'describeEvent';
  const kind = eventKind(eventId(words, at));
  if (kind === undefined) throw new IommuError('ENOENT', call, 'id', eventId(words, at), 'is no event of SMMUv3');
  checkReserved(call, words, at, EVENT_WORDS, kind.fields);
  const values = getFields(words, at, kind.fields);
  if (values.class === CLASS_RESERVED) throw new IommuError('EINVAL', call, 'class', values.class, 'is reserved');
  return { name: kind.name, values };
}

/** Reads a command.
 * @throws IommuError ENOENT an opcode that is not defined; EINVAL a reserved bit, or a parameter that every SMMU refuses. */
export function describeCommand(words: Int32Array, at: number): Described {
  const call = 'describeCommand';
  const kind = commandKind(commandOp(words, at));
  if (kind === undefined) throw new IommuError('ENOENT', call, 'op', commandOp(words, at), 'is no command of SMMUv3');
  checkReserved(call, words, at, COMMAND_WORDS, kind.fields);
  const values = getFields(words, at, kind.fields);
  const refuse = (field: string): never => {
    throw new IommuError('EINVAL', call, field, values[field], 'is reserved');
  };
  if (values.cs === CS_RESERVED) refuse('cs');
  if (kind.name === 'PRI_RESP' && values.resp === RESP_RESERVED) refuse('resp');
  if (kind.name === 'ATC_INV' && values.size > ATC_SIZE_ALL) refuse('size');
  return { name: kind.name, values };
}

function checkReserved(call: string, words: Int32Array, at: number, size: number, fields: readonly Field[]): void {
  const known = new Int32Array(size);
  for (const f of fields) known[f.lo >> 5] |= fieldMask(f);
  for (let i = 0; i < size; i++) {
    const reserved = words[at + i] & ~known[i];
    if (reserved === 0) continue;
    const bit = 32 * i + 31 - Math.clz32(reserved);
    throw new IommuError('EINVAL', call, `w${i >> 1}`, words[at + i] >>> 0, `sets reserved bit ${bit % 64}`);
  }
}
