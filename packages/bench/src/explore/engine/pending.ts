import {
  K_CALL,
  K_CAS,
  K_DONE,
  K_LOAD,
  K_NOTIFY,
  K_READ,
  K_STORE,
  K_TIMEOUT,
  K_WAIT,
  K_WAIT_ASYNC,
  K_WRITE,
  K_YIELD,
  MARK_CALL,
  MARK_DONE,
  P_ARG,
  P_ARG_HIGH,
  P_KIND,
  P_LOC,
  PENDING,
  PENDING_STRIDE,
  QUEUE_READ,
  QUEUE_WRITE,
  VALUE_READ,
  VALUE_WRITE,
} from './control.layout.ts';
import type { Scheduler } from './scheduler.ts';
import { hasWaiters } from './waiters.ts';

/** What a thread's announced operation would touch, as things stand. */
export function pendingClasses(scheduler: Scheduler, thread: number): number {
  const { control, memory } = scheduler;
  const row = PENDING + thread * PENDING_STRIDE;
  const loc = control[row + P_LOC];
  switch (control[row + P_KIND]) {
    case K_LOAD:
    case K_READ:
      return VALUE_READ;
    case K_STORE:
    case K_WRITE:
      return VALUE_WRITE;
    case K_CAS:
      return finds(scheduler, loc, row) ? VALUE_READ | VALUE_WRITE : VALUE_READ;
    case K_WAIT:
    case K_WAIT_ASYNC:
      return memory[loc] === control[row + P_ARG] ? VALUE_READ | QUEUE_WRITE : VALUE_READ;
    case K_NOTIFY:
      return hasWaiters(control, loc) ? QUEUE_WRITE : QUEUE_READ;
    case K_TIMEOUT:
      return QUEUE_WRITE;
    case K_YIELD:
      return VALUE_READ;
    case K_CALL:
      return MARK_CALL;
    case K_DONE:
      return MARK_DONE;
    default:
      return VALUE_READ | VALUE_WRITE;
  }
}

/** Whether a compare-exchange would find what it expects, all of it. */
function finds({ control, memory, wide }: Scheduler, loc: number, row: number): boolean {
  if (wide.has(loc)) return wide.is(loc, control[row + P_ARG], control[row + P_ARG_HIGH]);
  return memory[loc] === control[row + P_ARG];
}
