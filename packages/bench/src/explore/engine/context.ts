// What the functions of a scenario are handed.
import type { Context, Scenario, ThreadContext } from '../scenario.ts';
import {
  HISTORY,
  K_CALL,
  K_DONE,
  MARK_CALL,
  MARK_DONE,
  MAX_OPERATIONS,
  marksAt,
  NOWHERE,
  OPERATION_STRIDE,
  OPERATIONS,
  STEP,
} from './control.layout.ts';
import type { Memory } from './memory.ts';
import { type Memories, regionFinder } from './placement.ts';
import type { Scheduler } from './scheduler.ts';
import { seedFor } from './strategy/random.ts';

export function makeContext(spec: Scenario['spec'], memory: Memory, memories: Memories, design: string): Context {
  return {
    words: memory.view,
    wide: memory.wideView,
    shared: memories.shared,
    design,
    at: regionFinder(spec.name, memories),
  };
}

/** @param refuse says why the scenario cannot be explored. */
export function makeThreadContext(
  base: Context,
  scheduler: Scheduler,
  name: string,
  refuse: (message: string) => never,
): ThreadContext {
  const { control, me, locations } = scheduler;
  const marks = marksAt(locations);
  const mark = (kind: number): void => {
    if (!scheduler.active) refuse(`${name} marked an operation outside its run`);
    scheduler.point(kind, marks, 0);
  };
  return {
    ...base,
    name,
    self: { id: me + 1, spins: 0 },
    random: () => (seedFor(Math.imul(me + 1, 0x2545f491), ++scheduler.draws) >>> 0) / 2 ** 32,
    now: () => scheduler.now,
    call: (operation, argument) => {
      mark(K_CALL);
      const index = control[HISTORY];
      if (index === MAX_OPERATIONS) refuse(`more than ${MAX_OPERATIONS} operations in one history`);
      control[HISTORY]++;
      control.set([me, operation, argument, 0, control[STEP], 0], OPERATIONS + index * OPERATION_STRIDE);
      scheduler.after(K_CALL, marks, 0, MARK_CALL, true, operation);
      if (scheduler.recording) scheduler.record(K_CALL, NOWHERE, `operation ${operation}, argument ${argument}`);
      return index;
    },
    done: (call, result) => {
      mark(K_DONE);
      const at = OPERATIONS + call * OPERATION_STRIDE;
      if (!(call >= 0 && call < control[HISTORY]) || control[at] !== me || control[at + 5] !== 0)
        refuse(`${name} marked the end of operation ${call}, which it has not under way`);
      control[at + 3] = result;
      control[at + 5] = control[STEP];
      scheduler.after(K_DONE, marks, 0, MARK_DONE, true, result);
      if (scheduler.recording) scheduler.record(K_DONE, NOWHERE, `result ${result}`);
    },
  };
}
