// How long a generation's locks are held. The lock's own compare-exchanges are looked at as they are made: the global `Atomics` of this
// thread gets one that reads the clock. What that adds is known from locks that guard nothing, and taken off again.
import { mutexLock, mutexUnlock, type Words } from '@faultline/core/sync';
import { mean, median, quantile } from 'simple-statistics';
import type { Machine } from './machine.ts';
import { STAGE_HANDLE, STAGE_REPORT, timeStages } from './stages.ts';

/** Nanoseconds that a fault has each lock held, from taken to given back, both included, however often. 0: not taken. */
export interface HeldNs {
  readonly param: number;
  readonly fault: number;
}

export interface HeldTimes {
  readonly report: HeldNs;
  readonly handle: HeldNs;
  /** A lock that guards nothing. */
  readonly pair: number;
}

const SELF = { id: 1, spins: 0 };
const EMPTY = 20_000;
const NONE = 0; // no stage: locks that guard nothing

/** Takes this thread's `Atomics` for good. */
export function timeHeld(machine: Machine, timeMs: number): HeldTimes {
  if (machine.locks === undefined) throw new Error('timeHeld: without a core there are no locks');
  const { param, fault } = machine.locks;
  const { words } = machine.arena;
  const isNested = machine.nestsLocks;
  const pair = timePairs(words, fault);
  const watch = new Watch(param, fault);
  for (let i = 0; i < EMPTY; i++) {
    mutexLock(words, param, SELF);
    if (!isNested) mutexUnlock(words, param, SELF);
    mutexLock(words, fault, SELF);
    mutexUnlock(words, fault, SELF);
    if (isNested) mutexUnlock(words, param, SELF);
  }
  let cycles = 0;
  const onStage = (stage: number): void => {
    watch.stage = stage;
    if (stage === NONE) cycles++;
  };
  timeStages(machine, true, { warmupMs: timeMs / 4, timeMs, onStage });
  const held = (stage: number): HeldNs => {
    const of = (lock: 0 | 1): number => {
      const { mean: seen, count } = watch.held(stage, lock);
      return (Math.max(0, seen - watch.held(NONE, lock).mean) + pair) * (count / (cycles * machine.faults));
    };
    return { param: of(0), fault: of(1) };
  };
  return { report: held(STAGE_REPORT), handle: held(STAGE_HANDLE), pair };
}

function timePairs(words: Words, at: number): number {
  const samples: number[] = [];
  for (let round = 0; round < 50; round++) {
    const began = performance.now();
    for (let i = 0; i < 1000; i++) {
      mutexLock(words, at, SELF);
      mutexUnlock(words, at, SELF);
    }
    samples.push((performance.now() - began) * 1000);
  }
  return median(samples);
}

/** Holds before the code is warm. */
const SKIPPED = 2000;
const KEPT = 40_000;

class Watch {
  stage: number = NONE;
  readonly #samples: Map<number, { ms: number[]; count: number }> = new Map();

  constructor(param: number, fault: number) {
    const since = [0, 0];
    const exchange = Atomics.compareExchange;
    const watched = (words: Int32Array, at: number, expected: number, value: number): number => {
      if (at !== param && at !== fault) return exchange(words, at, expected, value);
      const lock = at === param ? 0 : 1;
      if (value !== 0) {
        const found = exchange(words, at, expected, value);
        since[lock] = performance.now();
        return found;
      }
      this.#keep(lock, performance.now() - since[lock]);
      return exchange(words, at, expected, value);
    };
    Atomics.compareExchange = watched as typeof Atomics.compareExchange;
  }

  #keep(lock: number, ms: number): void {
    const key = this.stage * 2 + lock;
    let samples = this.#samples.get(key);
    if (samples === undefined) {
      samples = { ms: [], count: 0 };
      this.#samples.set(key, samples);
    }
    samples.count++;
    if (samples.count > SKIPPED && samples.ms.length < KEPT) samples.ms.push(ms);
  }

  /** Nanoseconds between the two exchanges on average, but for the longest twentieth, in which the thread was kept from running; and how
   * often. */
  held(stage: number, lock: number): { mean: number; count: number } {
    const samples = this.#samples.get(stage * 2 + lock);
    if (samples === undefined || samples.ms.length === 0) return { mean: 0, count: 0 };
    const longest = quantile(samples.ms, 0.95);
    return { mean: mean(samples.ms.filter((ms) => ms <= longest)) * 1e6, count: samples.count };
  }
}
