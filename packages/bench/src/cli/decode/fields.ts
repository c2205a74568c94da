// Fields as people name them, over the field tables of @faultline/hw: those are made of 32-bit words, so that what the specifications
// call one field may stand there in two or three parts.
import type { Field } from '@faultline/hw/smmu-v3';

/** The tables' names to those of the specifications. A part says where in the whole its lowest bit belongs. The two halves of an
 * address, `xLo` and `xHi`, are joined by themselves: name `x`. `KIND.x` goes before `x`. */
export type Names = Readonly<Record<string, string | readonly [name: string, shift: number]>>;

interface Part {
  readonly word: number;
  /** Of the bits in their word. */
  readonly lo: number;
  readonly hi: number;
  /** Where they belong in the value. */
  readonly to: number;
}

export interface NamedField {
  readonly name: string;
  /** As `w0 51:32`, or `w0 45:42, w0 31:16`: the highest part first. */
  readonly bits: string;
  /** An address or another value beyond 32 bits: given as hex text, for JSON has no number that holds all of them. */
  readonly wide: boolean;
  readonly parts: readonly Part[];
}

/** Joins a record's fields under their names, in the order of their lowest bits. */
export function nameFields(kind: string, fields: readonly Field[], names: Names): readonly NamedField[] {
  const parts = new Map<string, Part[]>();
  const wide = new Set<string>();
  const addresses = new Set(fields.filter((field) => field.inPlace).map(({ name }) => name.slice(0, -2)));
  for (const field of [...fields].sort((a, b) => a.lo - b.lo)) {
    const [name, to] = nameOf(kind, field, names, addresses.has(field.name.slice(0, -2)));
    const part = { word: field.lo >> 5, lo: field.lo % 32, hi: field.hi % 32, to };
    if (field.inPlace || to + field.hi - field.lo >= 32) wide.add(name);
    const known = parts.get(name);
    if (known === undefined) parts.set(name, [part]);
    else known.push(part);
  }
  return [...parts].map(([name, its]) => ({ name, bits: bitsOf(its), wide: wide.has(name), parts: its }));
}

function nameOf(kind: string, { name, lo }: Field, names: Names, isHalf: boolean): readonly [string, number] {
  const half = isHalf ? name.slice(0, -2) : name;
  const given = names[`${kind}.${half}`] ?? names[half] ?? half;
  if (typeof given !== 'string') return given;
  if (!isHalf) return [given, 0];
  return [given, (name.endsWith('Hi') ? 32 : 0) + (lo % 32)];
}

function bitsOf(parts: readonly Part[]): string {
  const runs: { word: number; hi: number; lo: number; to: number }[] = [];
  for (const { word, hi, lo, to } of [...parts].sort((a, b) => b.to - a.to)) {
    const place = 32 * (word % 2);
    const last = runs.at(-1);
    if (last && last.word === word >> 1 && last.lo === place + hi + 1) last.lo = place + lo;
    else runs.push({ word: word >> 1, hi: place + hi, lo: place + lo, to });
  }
  return runs.map(({ word, hi, lo }) => `w${word} ${hi === lo ? hi : `${hi}:${lo}`}`).join(', ');
}

/** The field's value in a record that begins at word 0: a number, or hex text for a wide field. */
export function readField({ parts, wide }: NamedField, words: Int32Array): number | string {
  let low = 0;
  let high = 0;
  for (const { word, lo, hi, to } of parts) {
    const bits = hi - lo === 31 ? words[word] >>> 0 : (words[word] >>> lo) & ((1 << (hi - lo + 1)) - 1);
    if (to >= 32) high += bits * 2 ** (to - 32);
    else low += bits * 2 ** to; // no part crosses bit 32
  }
  if (!wide) return low;
  return high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}
