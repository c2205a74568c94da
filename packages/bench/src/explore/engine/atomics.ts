// The Atomics that the code under test finds in the global's place. Inside a thread's body each operation is a scheduling point;
// outside (laying out, opening, checking) it is the real one. The thread that makes an operation holds the turn, so plain reads
// and writes do what the real operation would.

import type { WideWords, Words } from '../scenario.ts';
import {
  ASLEEP,
  ENABLED,
  K_ADD,
  K_AND,
  K_CAS,
  K_EXCHANGE,
  K_LOAD,
  K_NOTIFY,
  K_OR,
  K_STORE,
  K_SUB,
  K_TIMEOUT,
  K_WAIT,
  K_WAIT_ASYNC,
  K_WAKE,
  K_XOR,
  LOCALS,
  MAX_WAITERS,
  P_KIND,
  P_WOKEN,
  QUEUE_READ,
  QUEUE_WRITE,
  TIMEOUTS,
  TIMEOUTS_ANY,
  TIMEOUTS_NEVER,
  VALUE_READ,
  VALUE_WRITE,
  WOKEN_NO,
  WOKEN_OK,
  WOKEN_TIMED_OUT,
} from './control.layout.ts';
import type { Memory } from './memory.ts';
import { toTimeout, toWhole } from './numbers.ts';
import type { Scheduler } from './scheduler.ts';
import { addWaiter, hasWaiters, removeWaiter, type Woken, wake } from './waiters.ts';
import { WideAtomics } from './wide-atomics.ts';

const READ_WRITE = VALUE_READ | VALUE_WRITE;
const LONGEST_TIMEOUT_MS = 2 ** 30;

/** What the real ones take, of either memory. */
type View = Words | WideWords;
type Value = number | bigint;
type Real = {
  readonly [Name in 'add' | 'sub' | 'and' | 'or' | 'xor' | 'exchange' | 'store']: (
    view: View,
    index: number,
    value: Value,
  ) => Value;
} & {
  load(view: View, index: number): Value;
  compareExchange(view: View, index: number, expected: Value, value: Value): Value;
  wait(view: View, index: number, value: number, timeout?: number): 'ok' | 'not-equal' | 'timed-out';
  waitAsync(view: View, index: number, value: number, timeout?: number): unknown;
  notify(view: View, index: number, count?: number): number;
  isLockFree(size: number): boolean;
};

const real = Atomics as unknown as Real;

export class ScheduledAtomics {
  readonly #scheduler: Scheduler;
  readonly #memory: Memory;
  readonly #words: Int32Array;
  readonly #wide: WideAtomics;
  /** Locations from here on are those of 64-bit words. */
  readonly #wideStart: number;
  readonly #woken: Woken = { count: 0, threads: 0, posted: 0 };
  /** Promises of waitAsync that are out, by number. */
  readonly promises: Map<number, (value: string) => void> = new Map();
  #promise = 0;

  constructor(scheduler: Scheduler, memory: Memory) {
    this.#scheduler = scheduler;
    this.#memory = memory;
    this.#words = scheduler.memory;
    this.#wide = new WideAtomics(scheduler, memory);
    this.#wideStart = scheduler.wide.start;
  }

  /** What to put in the global's place. */
  replacement(): typeof Atomics {
    const replaced = {
      load: (view: View, index: number) => this.#load(view, index),
      store: (view: View, index: number, value: Value) => this.#store(view, index, value),
      add: (view: View, index: number, value: Value) => this.#update(K_ADD, view, index, value),
      sub: (view: View, index: number, value: Value) => this.#update(K_SUB, view, index, value),
      and: (view: View, index: number, value: Value) => this.#update(K_AND, view, index, value),
      or: (view: View, index: number, value: Value) => this.#update(K_OR, view, index, value),
      xor: (view: View, index: number, value: Value) => this.#update(K_XOR, view, index, value),
      exchange: (view: View, index: number, value: Value) => this.#update(K_EXCHANGE, view, index, value),
      compareExchange: (view: View, index: number, expected: Value, value: Value) =>
        this.#compareExchange(view, index, expected, value),
      wait: (view: View, index: number, value: number, timeout?: number) => this.#wait(view, index, value, timeout),
      notify: (view: View, index: number, count?: number) => this.#notify(view, index, count),
      waitAsync: (view: View, index: number, value: number, timeout?: number) =>
        this.#waitAsync(view, index, value, timeout),
      isLockFree: (size: number) => real.isLockFree(size),
      pause: () => undefined,
      [Symbol.toStringTag]: 'Atomics',
    };
    return replaced as unknown as typeof Atomics;
  }

  #load(view: View, index: number): Value {
    if (!this.#scheduler.active) return this.#loadUnscheduled(view, index);
    const loc = this.#memory.locate(view, index);
    if (loc < 0) return real.load(this.#memory.raw(view), index);
    if (loc >= this.#wideStart) return this.#wide.load(loc);
    this.#scheduler.point(K_LOAD, loc, 0);
    if (this.#memory.checked) this.#memory.atomicRead(loc);
    const value = this.#words[loc];
    this.#scheduler.after(K_LOAD, loc, 0, VALUE_READ, false, value);
    if (this.#scheduler.recording) this.#record(K_LOAD, loc, `= ${value}`);
    return value;
  }

  #loadUnscheduled(view: View, index: number): Value {
    this.#memory.readUnscheduledIn(view, index);
    return real.load(this.#memory.raw(view), index);
  }

  #store(view: View, index: number, value: Value): Value {
    if (!this.#scheduler.active) return real.store(this.#memory.raw(view), index, value);
    const loc = this.#memory.locate(view, index);
    if (loc < 0) return real.store(this.#memory.raw(view), index, value);
    if (loc >= this.#wideStart) return this.#wide.store(loc, value);
    const given = toWhole(value);
    if (this.#memory.checked) this.#memory.beforeAtomicWrite(loc);
    this.#scheduler.point(K_STORE, loc, given);
    if (this.#memory.checked) this.#memory.atomicWrite(loc, false);
    const old = this.#words[loc];
    this.#words[loc] = given;
    this.#scheduler.after(K_STORE, loc, given | 0, VALUE_WRITE, old !== this.#words[loc], given | 0);
    if (this.#scheduler.recording) this.#record(K_STORE, loc, `${old} → ${this.#words[loc]}`);
    return given;
  }

  #update(kind: number, view: View, index: number, value: Value): Value {
    const loc = this.#scheduler.active ? this.#memory.locate(view, index) : -1;
    if (loc < 0) return applyReal(kind, this.#memory.raw(view), index, value);
    if (loc >= this.#wideStart) return this.#wide.update(kind, loc, value);
    const given = toWhole(value) | 0;
    if (this.#memory.checked) this.#memory.beforeAtomicWrite(loc);
    this.#scheduler.point(kind, loc, given);
    if (this.#memory.checked) this.#memory.atomicWrite(loc, true);
    const old = this.#words[loc];
    this.#words[loc] = updated(kind, old, given);
    this.#scheduler.after(kind, loc, given, READ_WRITE, old !== this.#words[loc], old);
    if (this.#scheduler.recording) this.#record(kind, loc, `${old} → ${this.#words[loc]}`);
    return old;
  }

  #compareExchange(view: View, index: number, expected: Value, value: Value): Value {
    if (!this.#scheduler.active) return real.compareExchange(this.#memory.raw(view), index, expected, value);
    const loc = this.#memory.locate(view, index);
    if (loc < 0) return real.compareExchange(this.#memory.raw(view), index, expected, value);
    if (loc >= this.#wideStart) return this.#wide.compareExchange(loc, expected, value);
    const wanted = toWhole(expected) | 0;
    const given = toWhole(value) | 0;
    if (this.#memory.checked) this.#memory.beforeAtomicWrite(loc, wanted);
    this.#scheduler.point(K_CAS, loc, wanted);
    const old = this.#words[loc];
    const fits = old === wanted;
    if (this.#memory.checked) {
      if (fits) this.#memory.atomicWrite(loc, true);
      else this.#memory.atomicRead(loc);
    }
    if (fits) this.#words[loc] = given;
    this.#scheduler.after(K_CAS, loc, wanted, fits ? READ_WRITE : VALUE_READ, fits && old !== given, old);
    if (this.#scheduler.recording)
      this.#record(K_CAS, loc, fits ? `${old} → ${this.#words[loc]}` : `= ${old}, expected ${wanted}: fails`);
    return old;
  }

  #wait(view: View, index: number, value: number, timeout: number = Infinity): 'ok' | 'not-equal' | 'timed-out' {
    const scheduler = this.#scheduler;
    const { control, me, bit, row } = scheduler;
    const loc = scheduler.active ? this.#memory.locate(view, index) : -1;
    if (loc < 0) return real.wait(this.#memory.raw(view), index, value, timeout);
    if (loc >= this.#wideStart) this.#nobodySleeps('wait');
    const wanted = toWhole(value) | 0;
    const most = toTimeout(timeout);
    const timed = most < LONGEST_TIMEOUT_MS && control[TIMEOUTS] !== TIMEOUTS_NEVER;
    if (!timed && most > 0 && this.#words[loc] === wanted) scheduler.forgetLooks(); // who sleeps does not spin
    scheduler.point(K_WAIT, loc, wanted);
    if (this.#memory.checked) this.#memory.entersWait(loc);
    const found = this.#words[loc];
    if (found !== wanted) {
      scheduler.after(K_WAIT, loc, wanted, VALUE_READ, false, found);
      if (scheduler.recording) this.#record(K_WAIT, loc, `= ${found}, expected ${wanted}: does not sleep`);
      return 'not-equal';
    }
    if (most === 0 || (timed && scheduler.onTrial)) {
      scheduler.after(K_WAIT, loc, wanted, VALUE_READ, false, found);
      if (scheduler.recording) this.#record(K_WAIT, loc, `= ${found}: no time to sleep`);
      scheduler.passOnTrial(Math.ceil(most));
      return 'timed-out';
    }
    scheduler.after(K_WAIT, loc, wanted, VALUE_READ | QUEUE_WRITE, false, found);
    if (scheduler.recording) this.#record(K_WAIT, loc, `= ${found}: asleep`);
    const deadline = timed ? scheduler.now + Math.ceil(most) : -1;
    if (!addWaiter(control, me, loc, 0, deadline)) this.#tooManyWaiters();
    scheduler.fellAsleep(loc);
    control[row + P_WOKEN] = WOKEN_NO;
    control[row + P_KIND] = timed ? K_TIMEOUT : K_WAIT;
    control[ASLEEP] |= bit;
    if (timed && control[TIMEOUTS] === TIMEOUTS_ANY) control[ENABLED] |= bit;
    scheduler.sleep();
    const woken = control[row + P_WOKEN] === WOKEN_OK;
    if (woken) {
      control[LOCALS] &= ~bit;
      scheduler.forgetLooks(); // somebody meant us to look again
    } else {
      control[row + P_WOKEN] = WOKEN_TIMED_OUT;
      control[ASLEEP] &= ~bit;
      removeWaiter(control, me, 0);
      scheduler.clock = Math.max(scheduler.clock, deadline);
      scheduler.timeOut(loc);
    }
    if (this.#memory.checked && woken) this.#memory.woken(loc);
    if (scheduler.recording) scheduler.record(woken ? K_WAKE : K_TIMEOUT, loc, woken ? 'ok' : 'timed-out', !woken);
    return woken ? 'ok' : 'timed-out';
  }

  #notify(view: View, index: number, count?: number): number {
    const scheduler = this.#scheduler;
    const loc = scheduler.active ? this.#memory.locate(view, index) : -1;
    if (loc < 0) return real.notify(this.#memory.raw(view), index, count);
    if (loc >= this.#wideStart) this.#nobodySleeps('notify');
    const most = count === undefined ? Infinity : Math.max(0, toWhole(count));
    scheduler.point(K_NOTIFY, loc, 0);
    if (this.#memory.checked) this.#memory.notified(loc);
    const any = hasWaiters(scheduler.control, loc);
    wake(scheduler.control, loc, most, this.#woken);
    scheduler.after(K_NOTIFY, loc, 0, any ? QUEUE_WRITE : QUEUE_READ, any, this.#woken.count);
    if (any) scheduler.woke(this.#woken.threads, this.#woken.posted);
    if (scheduler.recording) this.#record(K_NOTIFY, loc, any ? `wakes ${this.#woken.count}` : 'nobody is asleep');
    return this.#woken.count;
  }

  #waitAsync(view: View, index: number, value: number, timeout: number = Infinity): unknown {
    const scheduler = this.#scheduler;
    const loc = scheduler.active ? this.#memory.locate(view, index) : -1;
    if (loc < 0) return real.waitAsync(this.#memory.raw(view), index, value, timeout);
    if (loc >= this.#wideStart) this.#nobodySleeps('waitAsync');
    const wanted = toWhole(value) | 0;
    const most = toTimeout(timeout);
    if (most > 0 && most < LONGEST_TIMEOUT_MS && scheduler.control[TIMEOUTS] !== TIMEOUTS_NEVER)
      this.#memory.refuse(
        'waitAsync with a time-out, in a scenario whose time-outs fire: that of a wait fires, this would not',
      );
    scheduler.point(K_WAIT_ASYNC, loc, wanted);
    if (this.#memory.checked) this.#memory.entersWait(loc);
    const found = this.#words[loc];
    const asleep = found === wanted && most > 0;
    scheduler.after(K_WAIT_ASYNC, loc, wanted, asleep ? VALUE_READ | QUEUE_WRITE : VALUE_READ, false, found);
    if (scheduler.recording)
      this.#record(K_WAIT_ASYNC, loc, `= ${found}${found === wanted ? '' : `, expected ${wanted}: does not wait`}`);
    if (!asleep) return { async: false, value: found === wanted ? 'timed-out' : 'not-equal' };
    const number = ++this.#promise;
    if (!addWaiter(scheduler.control, scheduler.me, loc, number, -1)) this.#tooManyWaiters();
    scheduler.fellAsleep(loc);
    scheduler.forgetLooks(); // with one promise more it is not where it was
    return { async: true, value: new Promise<string>((resolve) => this.promises.set(number, resolve)) };
  }

  #nobodySleeps(name: string): never {
    return this.#memory.refuse(`Atomics.${name} on the scenario's 64-bit memory: threads sleep on 32-bit words alone`);
  }

  #tooManyWaiters(): never {
    return this.#memory.refuse(`more than ${MAX_WAITERS} waiters at once`);
  }

  #record(kind: number, loc: number, effect: string): void {
    this.#scheduler.record(kind, loc, effect);
  }
}

function updated(kind: number, old: number, value: number): number {
  switch (kind) {
    case K_ADD:
      return (old + value) | 0;
    case K_SUB:
      return (old - value) | 0;
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

function applyReal(kind: number, view: View, index: number, value: Value): Value {
  switch (kind) {
    case K_ADD:
      return real.add(view, index, value);
    case K_SUB:
      return real.sub(view, index, value);
    case K_AND:
      return real.and(view, index, value);
    case K_OR:
      return real.or(view, index, value);
    case K_XOR:
      return real.xor(view, index, value);
    default:
      return real.exchange(view, index, value);
  }
}
