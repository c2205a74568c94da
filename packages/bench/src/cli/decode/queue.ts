// What a family says of one of its queues, and a record of it decoded.
import type { Field } from '@faultline/hw/smmu-v3';
import { type NamedField, type Names, nameFields, readField } from './fields.ts';

/** What a value means, by field: a text for each value from 0 on, or a function. '' for nothing to say. */
export type Meanings = Readonly<Record<string, readonly string[] | ((value: number) => string)>>;

/** A record as its family's decoder judges it. */
export interface Judged {
  /** '' for an encoding that the family does not define. */
  readonly kind: string;
  readonly fields: readonly Field[];
  readonly errors: readonly string[];
}

export interface RecordQueue {
  readonly family: string;
  readonly name: string;
  /** 64-bit words that a record may have. */
  readonly sizes: readonly number[];
  readonly names: Names;
  /** By the specification's names; `KIND.x` goes before `x`. */
  readonly meanings: Meanings;
  /** @param size 64-bit words of the record, which begins at word 0. */
  judge(words: Int32Array, size: number): Judged;
}

export interface DecodedField {
  readonly name: string;
  readonly bits: string;
  /** Hex text for an address. */
  readonly value: number | string;
  readonly meaning: string;
}

export interface Decoded {
  readonly kind: string;
  readonly fields: readonly DecodedField[];
  readonly errors: readonly string[];
}

/** Decodes the records of a queue. Field tables are named once a kind. */
export class RecordDecoder {
  readonly #queue: RecordQueue;
  readonly #named = new Map<string, readonly NamedField[]>();

  constructor(queue: RecordQueue) {
    this.#queue = queue;
  }

  /** @param size 64-bit words of the record, which begins at word 0. */
  decode(words: Int32Array, size: number): Decoded {
    const { kind, fields, errors } = this.#queue.judge(words, size);
    let named = this.#named.get(kind);
    if (named === undefined) {
      named = nameFields(kind, fields, this.#queue.names);
      this.#named.set(kind, named);
    }
    const decoded = named.map((field) => {
      const value = readField(field, words);
      return { name: field.name, bits: field.bits, value, meaning: this.#meaning(kind, field.name, value) };
    });
    return { kind, fields: decoded, errors };
  }

  #meaning(kind: string, name: string, value: number | string): string {
    const { meanings } = this.#queue;
    const known = meanings[`${kind}.${name}`] ?? meanings[name];
    if (known === undefined || typeof value === 'string') return '';
    return typeof known === 'function' ? known(value) : (known[value] ?? 'reserved');
  }
}

/** A PCIe requester id: bus, device, function. */
export function requesterId(value: number): string {
  const hex = (bits: number): string => bits.toString(16).padStart(2, '0');
  return `${hex(value >> 8)}:${hex((value >> 3) & 31)}.${value & 7}`;
}

/** Meanings of a flag that says something when set. */
export function when(set: string, clear = ''): readonly string[] {
  return [clear, set];
}

/** PCIe response codes, as VT-d and AMD send them on. */
export function responseCode(value: number): string {
  return { 0: 'success', 1: 'invalid request', 15: 'response failure' }[value] ?? 'reserved';
}
