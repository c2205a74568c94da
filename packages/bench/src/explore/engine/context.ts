// What the functions of a scenario are handed.
import type { Context, Scenario, SharedMemory, ThreadContext } from '../scenario.ts';
import {
  HISTORY,
  INDEX,
  K_CALL,
  K_DONE,
  MARK_CALL,
  MARK_DONE,
  MAX_OPERATIONS,
  NOW,
  OPERATION_STRIDE,
  OPERATIONS,
  SEED,
  STEP,
} from './control.layout.ts';
import type { Memory } from './memory.ts';
import type { Scheduler } from './scheduler.ts';
import { seedFor } from './strategy/random.ts';

export function makeContext(spec: Scenario['spec'], memory: Memory, shared: SharedMemory, design: string): Context {
  const places = new Map(shared.regions.map((region) => [region.name, region.base]));
  return {
    words: memory.view,
    shared,
    design,
    at: (region) => {
      const base = places.get(region);
      if (base === undefined) throw new Error(`${spec.name}: no region '${region}' in its memory`);
      return base;
    },
  };
}

export function makeThreadContext(base: Context, scheduler: Scheduler, name: string): ThreadContext {
  const { control, me, memory } = scheduler;
  const marks = memory.length; // a location of its own, past the words
  let draws = 0;
  return {
    ...base,
    name,
    self: { id: me + 1, spins: 0 },
    random: () => {
      draws = Math.imul(draws, 31) + 1;
      return (
        (seedFor(control[SEED] ^ Math.imul(me + 1, 0x2545f491), Math.imul(control[INDEX], 0x10001) + draws) >>> 0) /
        2 ** 32
      );
    },
    now: () => control[NOW],
    call: (operation, argument) => {
      scheduler.point(K_CALL, marks, 0);
      const index = control[HISTORY]++;
      if (index >= MAX_OPERATIONS) throw new RangeError(`more than ${MAX_OPERATIONS} operations in one history`);
      control.set([me, operation, argument, 0, control[STEP], 0], OPERATIONS + index * OPERATION_STRIDE);
      scheduler.after(K_CALL, marks, 0, MARK_CALL, true, operation);
      if (scheduler.recording) scheduler.record(K_CALL, marks, `operation ${operation}, argument ${argument}`);
      return index;
    },
    done: (call, result) => {
      scheduler.point(K_DONE, marks, 0);
      const at = OPERATIONS + call * OPERATION_STRIDE;
      control[at + 3] = result;
      control[at + 5] = control[STEP];
      scheduler.after(K_DONE, marks, 0, MARK_DONE, true, result);
      if (scheduler.recording) scheduler.record(K_DONE, marks, `result ${result}`);
    },
  };
}
