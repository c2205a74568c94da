// A scenario's memory as its threads see it. In checked runs the code under test gets an instrumented array in place of the real
// one; either way an operation on memory that was not registered, or on elements of another size, is refused.

import type { WideWords, Words } from '../scenario.ts';
import {
  FAIL_RACE,
  FAIL_REFUSED,
  FAIL_USE_AFTER_FREE,
  K_READ,
  K_WRITE,
  VALUE_READ,
  VALUE_WRITE,
} from './control.layout.ts';
import { instrument, type PlainAccess } from './instrument.ts';
import { toWhole } from './numbers.ts';
import { MARK_STATE } from './placement.ts';
import { Races } from './races.ts';
import { stackHere } from './recorder.ts';
import { ABORTED, type Scheduler } from './scheduler.ts';
import { hex, type Words64 } from './words64.ts';

type View = Words | WideWords;

/** Tells what broke to whoever runs the session. */
export type Report = (kind: number, message: string, stack: string, race?: RaceDetail) => void;
export interface RaceDetail {
  readonly loc: number;
  readonly what: string;
  readonly other: number;
  readonly otherWhat: string;
  /** Who made the second access. */
  readonly by: number;
}

const RealInt32Array = Int32Array;
const RealBigInt64Array = BigInt64Array;
/** Bits of a word of memory that is not the scenario's. */
const NONE = 0;

function show(value: number | bigint): string {
  return typeof value === 'bigint' ? hex(value) : String(value);
}

export class Memory implements PlainAccess {
  readonly checked: boolean;
  /** What the code under test is handed. */
  readonly view: Words;
  readonly wideView: WideWords;
  /** Why touching a word is wrong just now. */
  guard: ((word: number, wide: boolean) => string | undefined) | undefined;
  readonly #raw: Words;
  readonly #wide: Words64;
  readonly #scheduler: Scheduler;
  readonly #races: Races;
  readonly #marks: Uint8Array;
  readonly #report: Report;
  readonly #instrumented = new WeakMap<object, View>();
  /** State words of objects that this thread has touched since its last operation. */
  #touched: number[] = [];
  /** While a guard is asked: the words that it reads. */
  #stateReads: number[] | undefined;

  constructor(
    scheduler: Scheduler,
    checked: boolean,
    shadow: Int32Array<SharedArrayBuffer>,
    threads: number,
    marks: Uint8Array,
    report: Report,
  ) {
    this.#scheduler = scheduler;
    this.#raw = scheduler.memory;
    this.#wide = scheduler.wide;
    this.#marks = marks;
    this.#report = report;
    this.checked = checked;
    this.#races = new Races(shadow, threads, scheduler.me, marks, (loc, what, other, otherWhat) => {
      this.#breaks(loc, what, 'races');
      report(FAIL_RACE, `${what} and ${otherWhat}`, stackHere(), { loc, what, other, otherWhat, by: scheduler.me });
      throw ABORTED;
    });
    this.view = this.wrap(this.#raw);
    this.wideView = this.wrap(this.#wide.view);
  }

  /** A schedule begins: nothing has been touched in it. */
  beginSchedule(guard: Memory['guard']): void {
    this.guard = guard;
    this.#newStretch();
  }

  /** An instrumented array in place of a view of the registered buffer. */
  wrap<Given extends View>(view: Given): Given {
    if (!this.checked) return view;
    const wrapped = instrument(view, this, this.#locationOf(view, 0));
    this.#instrumented.set(wrapped, view);
    return wrapped;
  }

  /** The real view behind what the code under test holds. */
  raw(view: View): View {
    return view === this.view ? this.#raw : (this.#instrumented.get(view) ?? view);
  }

  /** Bits of a word of the scenario's memory that a buffer is, 0 for any other. */
  bitsOf(buffer: unknown): number {
    return buffer === this.#raw.buffer ? 32 : buffer === this.#wide.view.buffer ? 64 : NONE;
  }

  /** Refuses another element type, by name, over a buffer of the scenario's. */
  refuseView(name: string, buffer: unknown): never {
    const bits = this.bitsOf(buffer);
    return this.refuse(`${name} over the scenario's memory: its elements are ${bits}-bit words`);
  }

  /** Of an element of a real view of the scenario's memory. */
  #locationOf(view: View, index: number): number {
    const first = view.byteOffset / view.BYTES_PER_ELEMENT;
    return first + index + (view.buffer === this.#wide.view.buffer ? this.#wide.start : 0);
  }

  /** The location of an element. @returns -1 for memory of the thread's own, which nobody schedules. */
  locate(view: View, index: number): number {
    if (view === this.view && index >>> 0 === index && index < this.#raw.length) return index;
    return this.#locateOther(view, index);
  }

  #locateOther(given: View, index: number): number {
    if (given === this.wideView && index >>> 0 === index && index < given.length) return this.#wide.start + index;
    const view = this.raw(given);
    if (!ArrayBuffer.isView(view)) throw new TypeError(`Atomics on what is no typed array: ${String(view)}`);
    if (!((view as { buffer: unknown }).buffer instanceof SharedArrayBuffer)) return -1;
    const bits = this.bitsOf(view.buffer);
    if (bits === NONE)
      this.refuse('a SharedArrayBuffer that the scenario did not declare as its memory was used atomically');
    if (!(view instanceof (bits === 64 ? RealBigInt64Array : RealInt32Array)))
      this.refuseView(view[Symbol.toStringTag], view.buffer);
    const at = toWhole(index);
    if (at < 0 || at >= view.length) throw new RangeError(`Atomics at index ${index} of an array of ${view.length}`);
    return this.#locationOf(view, at);
  }

  /** Says by name why the scenario cannot be explored. */
  refuse(message: string): never {
    this.#report(FAIL_REFUSED, message, stackHere());
    throw ABORTED;
  }

  atomicRead(loc: number): void {
    this.#newStretch();
    this.#watch(loc, 'atomic read');
    this.#races.atomicRead(loc);
  }
  /** Before an atomic write announces itself. */
  beforeAtomicWrite(loc: number, wanted?: number | bigint): void {
    this.#guarded(loc, 'atomic write', wanted);
  }

  atomicWrite(loc: number, finds: boolean): void {
    this.#watch(loc, 'atomic write');
    this.#newStretch();
    if (this.guard !== undefined) this.#ask(loc, 'atomic write', true);
    this.#races.atomicWrite(loc, finds);
  }
  notified(loc: number): void {
    this.#newStretch();
    this.#races.critical(loc);
  }
  entersWait(loc: number): void {
    this.atomicRead(loc);
    this.#races.critical(loc);
  }
  woken(loc: number): void {
    this.#races.critical(loc);
  }

  #newStretch(): void {
    if (this.#touched.length > 0) this.#touched = [];
  }

  plainRead(loc: number): void {
    if (!this.#scheduler.active) {
      this.readUnscheduled(loc);
      return;
    }
    if (this.#marks[loc] !== 0) this.#racyPoint(K_READ, loc, VALUE_READ, 'read');
    this.#watch(loc, 'plain read');
    if (this.#marks[loc] === 0) this.#guarded(loc, 'plain read');
    this.#races.plainRead(loc);
  }

  plainWrite(loc: number, value: number | bigint): void {
    if (!this.#scheduler.active) return;
    if (this.#marks[loc] !== 0) this.#racyPoint(K_WRITE, loc, VALUE_WRITE, `${this.#show(loc)} → ${show(value)}`);
    this.#watch(loc, 'plain write');
    this.#guarded(loc, 'plain write');
    this.#races.plainWrite(loc);
  }

  /** An access that is declared to race is a step like an atomic one: what it may find is explored. */
  #racyPoint(kind: number, loc: number, classes: number, effect: string): void {
    const scheduler = this.#scheduler;
    this.#point(kind, loc);
    this.#newStretch();
    this.#after(kind, loc, classes);
    if (scheduler.recording) scheduler.record(kind, loc, kind === K_READ ? `= ${this.#show(loc)}` : effect);
  }

  /** Announces a plain access. */
  #point(kind: number, loc: number): void {
    if (this.#wide.has(loc)) this.#scheduler.pointWide(kind, loc, 0, 0);
    else this.#scheduler.point(kind, loc, 0);
  }

  #after(kind: number, loc: number, classes: number): void {
    const wide = this.#wide;
    if (wide.has(loc))
      this.#scheduler.afterWide(kind, loc, 0, classes, kind === K_WRITE, wide.foldAt(loc), wide.highAt(loc));
    else this.#scheduler.after(kind, loc, 0, classes, kind === K_WRITE, this.#raw[loc]);
  }

  #value(loc: number): number | bigint {
    return this.#wide.has(loc) ? this.#wide.read(loc) : this.#raw[loc];
  }

  #show(loc: number): string {
    return show(this.#value(loc));
  }

  // Whether an object may be touched depends on words that say so, which the access itself does not read. So the first touch of
  // an object in a stretch is a step for each of them, that reads it: what frees the object conflicts with it, and both orders are
  // explored.

  /** Before an access: for an atomic write, before its own step.
   * @param wanted of a compare-exchange: one that fails only looks, which is no harm in memory that keeps its type. */
  #guarded(loc: number, what: string, wanted?: number | bigint): void {
    if (this.guard === undefined) return;
    const scheduler = this.#scheduler;
    for (;;) {
      const writes = wanted === undefined || this.#value(loc) === wanted;
      const state = this.#ask(loc, what, writes).find((word) => !this.#touched.includes(word));
      if (state === undefined) return;
      this.#point(K_READ, state);
      this.#after(K_READ, state, VALUE_READ);
      if (scheduler.recording) scheduler.record(K_READ, state, `= ${this.#show(state)}, before the ${what}`);
      this.#touched.push(state);
    }
  }

  /** Asks the guard about a word. @returns the words that say whether it may be touched. */
  #ask(loc: number, what: string, reports: boolean): readonly number[] {
    const scheduler = this.#scheduler;
    const states: number[] = [];
    let why: string | undefined;
    scheduler.active = false;
    this.#stateReads = states;
    try {
      why = this.#askAt(loc);
    } finally {
      this.#stateReads = undefined;
      scheduler.active = true;
    }
    if (why === undefined || !reports) return states;
    this.#breaks(loc, what, 'freed');
    this.#report(FAIL_USE_AFTER_FREE, `${what} of a freed object: ${why}`, stackHere());
    throw ABORTED;
  }

  #askAt(loc: number): string | undefined {
    const wide = this.#wide.has(loc);
    return this.guard?.(wide ? loc - this.#wide.start : loc, wide);
  }

  /** Finds the words that say whether an object may be touched, and marks them: plain accesses to them are steps, as what frees
   * an object changes them. Once, before the first schedule. */
  markStates(): void {
    if (this.guard === undefined) return;
    const states: number[] = [];
    this.#stateReads = states;
    for (let loc = 0; loc < this.#wide.end; loc++) this.#askAt(loc);
    this.#stateReads = undefined;
    for (const word of states) this.#marks[word] |= MARK_STATE;
  }

  /** Outside a body: a guard has read a word. */
  readUnscheduled(loc: number): void {
    this.#stateReads?.push(loc);
  }

  /** The same, by an operation on any view of the scenario's memory. */
  readUnscheduledIn(view: View, index: number): void {
    if (this.#stateReads === undefined) return;
    const raw = this.raw(view);
    if (this.bitsOf(raw.buffer) !== NONE) this.#stateReads.push(this.#locationOf(raw, index));
  }

  /** Notes the access that breaks, which is not made any more. */
  #breaks(loc: number, what: string, how: string): void {
    const scheduler = this.#scheduler;
    if (scheduler.recording)
      scheduler.record(
        what.endsWith('write') ? K_WRITE : K_READ,
        loc,
        what.startsWith('plain') ? how : `atomic: ${how}`,
        false,
      );
  }

  #watch(loc: number, what: string): void {
    const { recorder, me } = this.#scheduler;
    if (recorder.watched === loc) recorder.accesses.push({ thread: me, what, loc, stack: stackHere() });
  }
}
