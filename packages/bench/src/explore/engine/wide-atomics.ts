// The operations of Atomics on a scenario's 64-bit words, inside a thread's body: each a scheduling point. Values are BigInts, taken as
// BigInt64Array takes them.
import { K_ADD, K_AND, K_CAS, K_LOAD, K_OR, K_STORE, K_SUB, K_XOR, VALUE_READ, VALUE_WRITE } from './control.layout.ts';
import type { Memory } from './memory.ts';
import { toBigInt } from './numbers.ts';
import type { Scheduler } from './scheduler.ts';
import { fold, hex, highOfFolded, toInt64, type Words64 } from './words64.ts';

const READ_WRITE = VALUE_READ | VALUE_WRITE;

export class WideAtomics {
  readonly #scheduler: Scheduler;
  readonly #memory: Memory;
  readonly #words: Words64;

  constructor(scheduler: Scheduler, memory: Memory) {
    this.#scheduler = scheduler;
    this.#memory = memory;
    this.#words = scheduler.wide;
  }

  load(loc: number): bigint {
    this.#scheduler.pointWide(K_LOAD, loc, 0, 0);
    if (this.#memory.checked) this.#memory.atomicRead(loc);
    const found = this.#words.read(loc);
    this.#after(K_LOAD, loc, 0n, VALUE_READ, false, found);
    if (this.#scheduler.recording) this.#record(K_LOAD, loc, `= ${hex(found)}`);
    return found;
  }

  store(loc: number, value: unknown): bigint {
    const whole = toBigInt(value);
    const given = toInt64(whole);
    if (this.#memory.checked) this.#memory.beforeAtomicWrite(loc);
    this.#point(K_STORE, loc, given);
    if (this.#memory.checked) this.#memory.atomicWrite(loc, false);
    const old = this.#words.read(loc);
    this.#words.write(loc, given);
    this.#after(K_STORE, loc, given, VALUE_WRITE, old !== given, given);
    if (this.#scheduler.recording) this.#record(K_STORE, loc, `${hex(old)} → ${hex(given)}`);
    return whole;
  }

  update(kind: number, loc: number, value: unknown): bigint {
    const given = toInt64(value);
    if (this.#memory.checked) this.#memory.beforeAtomicWrite(loc);
    this.#point(kind, loc, given);
    if (this.#memory.checked) this.#memory.atomicWrite(loc, true);
    const old = this.#words.read(loc);
    this.#words.write(loc, updated(kind, old, given));
    const now = this.#words.read(loc);
    this.#after(kind, loc, given, READ_WRITE, old !== now, old);
    if (this.#scheduler.recording) this.#record(kind, loc, `${hex(old)} → ${hex(now)}`);
    return old;
  }

  compareExchange(loc: number, expected: unknown, value: unknown): bigint {
    const wanted = toInt64(expected);
    const given = toInt64(value);
    if (this.#memory.checked) this.#memory.beforeAtomicWrite(loc, wanted);
    this.#point(K_CAS, loc, wanted);
    const old = this.#words.read(loc);
    const fits = old === wanted;
    if (this.#memory.checked) {
      if (fits) this.#memory.atomicWrite(loc, true);
      else this.#memory.atomicRead(loc);
    }
    if (fits) this.#words.write(loc, given);
    this.#after(K_CAS, loc, wanted, fits ? READ_WRITE : VALUE_READ, fits && old !== given, old);
    if (this.#scheduler.recording)
      this.#record(K_CAS, loc, fits ? `${hex(old)} → ${hex(given)}` : `= ${hex(old)}, expected ${hex(wanted)}: fails`);
    return old;
  }

  #point(kind: number, loc: number, given: bigint): void {
    const folded = fold(given);
    this.#scheduler.pointWide(kind, loc, folded, highOfFolded());
  }

  #after(kind: number, loc: number, given: bigint, classes: number, changed: boolean, found: bigint): void {
    const arg = fold(given);
    const seen = fold(found);
    this.#scheduler.afterWide(kind, loc, arg, classes, changed, seen, highOfFolded());
  }

  #record(kind: number, loc: number, effect: string): void {
    this.#scheduler.record(kind, loc, effect);
  }
}

/** The new value, before it is cut to 64 bits. */
function updated(kind: number, old: bigint, value: bigint): bigint {
  switch (kind) {
    case K_ADD:
      return old + value;
    case K_SUB:
      return old - value;
    case K_AND:
      return old & value;
    case K_OR:
      return old | value;
    case K_XOR:
      return old ^ value;
    default:
      return value;
  }
}
