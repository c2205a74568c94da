// What a scenario's threads must not use while they run: a schedule must replay. Each is told by name.

import type { WideWords, Words } from '../scenario.ts';
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

/** Bits of a word that no memory has. */
const NO_WORD = -1;

type Callable = (...rest: unknown[]) => unknown;

/** Puts refusals in the place of clocks, timers and randomness, for as long as a body runs. Where the scenario says when time-outs
 * fire, performance.now is virtual time: code that reckons deadlines by it can be explored. */
export function refuseClocksAndChance(scheduler: Scheduler, memory: Memory): void {
  const guarded = (owner: object, name: string, label: string): void => {
    const original = Reflect.get(owner, name) as Callable;
    Reflect.set(owner, name, function (this: unknown, ...rest: unknown[]): unknown {
      if (scheduler.active) memory.refuse(`${label} was used: ${INSTEAD[label]}`);
      return Reflect.apply(original, this === undefined ? owner : this, rest);
    });
  };
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) guarded(globalThis, name, name);
  guarded(Date, 'now', 'Date.now');
  const { now } = performance;
  performance.now = () => {
    if (!scheduler.active) return now.call(performance);
    if (scheduler.control[TIMEOUTS] === TIMEOUTS_NEVER)
      memory.refuse(`performance.now was used: ${INSTEAD['performance.now']}`);
    return scheduler.now;
  };
  guarded(Math, 'random', 'Math.random');
  guarded(crypto, 'getRandomValues', 'crypto.getRandomValues');
  guarded(crypto, 'randomUUID', 'crypto.randomUUID');
  globalThis.Date = new Proxy(Date, {
    construct(target, rest: unknown[], newTarget) {
      if (scheduler.active && rest.length === 0) memory.refuse(`Date was used: ${INSTEAD.Date}`);
      return Reflect.construct(target, rest, newTarget) as object;
    },
  });
}

type Constructor = new (...rest: unknown[]) => object;

/** Instruments views of the scenario's memory that the code under test makes, and refuses those of other elements than it has. */
export function watchViews(memory: Memory): void {
  const globals = globalThis as unknown as Record<string, Constructor>;
  const watch = (name: string, bits: number): void => {
    globals[name] = new Proxy(globals[name], {
      construct(target, rest: unknown[], newTarget) {
        const found = memory.bitsOf(rest[0]);
        if (found !== 0 && found !== bits) memory.refuseView(name, rest[0]);
        const made = Reflect.construct(target, rest, newTarget) as object;
        return found === 0 ? made : memory.wrap(made as Words | WideWords);
      },
    });
  };
  watch('Int32Array', 32);
  watch('BigInt64Array', 64);
  for (const name of OTHER_VIEWS) if (globals[name] !== undefined) watch(name, NO_WORD); // Float16Array is young
  const { from } = Buffer;
  Buffer.from = ((...rest: Parameters<typeof from>) => {
    if (memory.bitsOf(rest[0]) !== 0) memory.refuseView('Buffer', rest[0]);
    return Reflect.apply(from, Buffer, rest) as Buffer;
  }) as typeof from;
  const { isView } = ArrayBuffer;
  ArrayBuffer.isView = ((value: unknown) => isView(memory.raw(value as never))) as typeof isView;
}
