// A scenario's 64-bit words, as the scheduler deals with them: by location, which come after those of the 32-bit words, and without
// BigInt. A value is two numbers here: the fold, which hashes take, and its upper half. The two together say it whole.

import type { WideWords } from '../scenario.ts';

const SPREAD = 0x85ebca6b;

/** A value that is no word's: an operation's argument. */
const value = new BigInt64Array(1);
const valueHalves = new Int32Array(value.buffer);

/** Takes a value apart. @returns its fold; the upper half is {@link highOfFolded}. */
export function fold(given: bigint): number {
  value[0] = given;
  return foldOf(valueHalves, 0);
}

/** The upper half of what was folded last. */
export function highOfFolded(): number {
  return valueHalves[1];
}

function foldOf(halves: Int32Array, at: number): number {
  return halves[at] ^ Math.imul(halves[at + 1], SPREAD);
}

/** What storing a value in a 64-bit word makes of it. @throws TypeError for a number, SyntaxError for text that is none. */
export function toInt64(given: unknown): bigint {
  value[0] = given as bigint;
  return value[0];
}

/** As reports show it: bits, not a quantity. */
export function hex(given: bigint): string {
  return `0x${BigInt.asUintN(64, given).toString(16)}`;
}

export class Words64 {
  readonly view: WideWords;
  /** The location of the first. */
  readonly start: number;
  readonly end: number;
  readonly #halves: Int32Array;

  constructor(view: WideWords, start: number) {
    this.view = view;
    this.start = start;
    this.end = start + view.length;
    this.#halves = new Int32Array(view.buffer);
  }

  has(loc: number): boolean {
    return loc >= this.start && loc < this.end;
  }

  read(loc: number): bigint {
    return this.view[loc - this.start];
  }

  write(loc: number, given: bigint): void {
    this.view[loc - this.start] = given;
  }

  foldAt(loc: number): number {
    return foldOf(this.#halves, 2 * (loc - this.start));
  }

  highAt(loc: number): number {
    return this.#halves[2 * (loc - this.start) + 1];
  }

  is(loc: number, folded: number, high: number): boolean {
    return this.foldAt(loc) === folded && this.highAt(loc) === high;
  }

  /** Mixes all of them into a hash. */
  mixInto(hash: number): number {
    const halves = this.#halves;
    let mixed = hash;
    for (let i = 0; i < halves.length; i++) mixed = Math.imul(mixed ^ halves[i], 0x01000193);
    return mixed;
  }
}
