// What a scenario's threads must not use while they run: a schedule must replay. Each is told by name.

import type { WideWords, Words } from '../scenario.ts';
import { loadsHere } from './boot.ts';
import { TIMEOUTS, TIMEOUTS_NEVER } from './control.layout.ts';
import type { Memory } from './memory.ts';
import type { Scheduler } from './scheduler.ts';

const INSTEAD: Readonly<Record<string, string>> = {
  setTimeout: "wait with a time-out, and say in the scenario's `timeouts` when it may fire",
  setInterval: 'loop',
  setImmediate: "await node:timers/promises' setImmediate, which is a scheduling point here",
  'Date.now': "take the context's `now`",
  Date: "take the context's `now`",
  'performance.now': "take the context's `now`, or say in the scenario's `timeouts` when they fire",
  'Math.random': "take the context's `random`",
  'crypto.getRandomValues': "take the context's `random`",
  'crypto.randomUUID': "take the context's `random`",
};

/** Element types that are neither memory's. */
const OTHER_VIEWS = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigUint64Array',
  'DataView',
] as const;

/** Bits of the words of either memory, by their element type. */
const BITS: Readonly<Record<string, number>> = { Int32Array: 32, BigInt64Array: 64 };
/** Bits of a word that no memory has. */
const NO_WORD = -1;

type Callable = (...rest: unknown[]) => unknown;
type Constructor = new (...rest: unknown[]) => object;

const globals = globalThis as unknown as Record<string, Constructor>;

// The real ones: a thread that goes from scenario to scenario replaces them each time.
const guarded = [
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [Date, 'now', 'Date.now'],
  [Math, 'random', 'Math.random'],
  [crypto, 'getRandomValues', 'crypto.getRandomValues'],
  [crypto, 'randomUUID', 'crypto.randomUUID'],
].map(([owner, name, label = name]) => ({
  owner: owner as object,
  name: name as string,
  label: label as string,
  original: Reflect.get(owner as object, name as string) as Callable,
}));
const RealDate = Date;
const { now } = performance;
const { from } = Buffer;
const { isView } = ArrayBuffer;
const views = ['Int32Array', 'BigInt64Array', ...OTHER_VIEWS].map((name) => [name, globals[name]] as const);

/** Puts refusals in the place of clocks, timers and randomness, for as long as a body runs. Where the scenario says when time-outs
 * fire, performance.now is virtual time: code that reckons deadlines by it can be explored. */
export function refuseClocksAndChance(scheduler: Scheduler, memory: Memory): void {
  for (const { owner, name, label, original } of guarded)
    Reflect.set(owner, name, function (this: unknown, ...rest: unknown[]): unknown {
      if (scheduler.active) memory.refuse(`${label} was used: ${INSTEAD[label]}`);
      if (owner === globalThis) loadsHere().stays = true; // it may fire when another scenario is here
      return Reflect.apply(original, this === undefined ? owner : this, rest);
    });
  performance.now = () => {
    if (!scheduler.active) return now.call(performance);
    if (scheduler.control[TIMEOUTS] === TIMEOUTS_NEVER)
      memory.refuse(`performance.now was used: ${INSTEAD['performance.now']}`);
    return scheduler.now;
  };
  globalThis.Date = new Proxy(RealDate, {
    construct(target, rest: unknown[], newTarget) {
      if (scheduler.active && rest.length === 0) memory.refuse(`Date was used: ${INSTEAD.Date}`);
      return Reflect.construct(target, rest, newTarget) as object;
    },
  });
}

/** Instruments views of the scenario's memory that the code under test makes, and refuses those of other elements than it has. */
export function watchViews(memory: Memory): void {
  for (const [name, real] of views) {
    if (real === undefined) continue; // Float16Array is young
    const bits = BITS[name] ?? NO_WORD;
    globals[name] = new Proxy(real, {
      construct(target, rest: unknown[], newTarget) {
        const found = memory.bitsOf(rest[0]);
        if (found !== 0 && found !== bits) memory.refuseView(name, rest[0]);
        const made = Reflect.construct(target, rest, newTarget) as object;
        return found === 0 ? made : memory.wrap(made as Words | WideWords);
      },
    });
  }
  Buffer.from = ((...rest: Parameters<typeof from>) => {
    if (memory.bitsOf(rest[0]) !== 0) memory.refuseView('Buffer', rest[0]);
    return Reflect.apply(from, Buffer, rest) as Buffer;
  }) as typeof from;
  ArrayBuffer.isView = ((value: unknown) => isView(memory.raw(value as never))) as typeof isView;
}
