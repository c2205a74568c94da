// Who is asleep on which word, in the order in which they fell asleep: a list like the engine's own, but visible.
import {
  ASLEEP,
  ENABLED,
  K_WAIT_ASYNC,
  LOCALS,
  MAX_WAITERS,
  NOW,
  P_KIND,
  P_WOKEN,
  PENDING,
  PENDING_STRIDE,
  W_ASYNC,
  W_DEADLINE,
  W_LOC,
  W_ORDER,
  W_THREAD,
  WAIT_ORDER,
  WAITER,
  WAITER_STRIDE,
  WAITERS,
  WOKEN_OK,
} from './control.layout.ts';

/** In an entry's location: notified, and not yet taken off. */
const RESOLVED = -2;

/** Puts a thread (or one of its promises, from 1) on the list. @returns its entry's order number. */
export function addWaiter(control: Int32Array, thread: number, loc: number, promise: number, deadline: number): number {
  const count = control[WAITERS];
  if (count === MAX_WAITERS) throw new RangeError(`more than ${MAX_WAITERS} waiters at once`);
  const at = WAITER + count * WAITER_STRIDE;
  control[WAITERS] = count + 1;
  control[at + W_THREAD] = thread;
  control[at + W_LOC] = loc;
  control[at + W_ASYNC] = promise;
  control[at + W_DEADLINE] = deadline;
  control[at + W_ORDER] = ++control[WAIT_ORDER];
  return control[WAIT_ORDER];
}

/** Takes entry `i` off, keeping the others' order. */
function removeAt(control: Int32Array, i: number): void {
  const at = WAITER + i * WAITER_STRIDE;
  const end = WAITER + control[WAITERS] * WAITER_STRIDE;
  control.copyWithin(at, at + WAITER_STRIDE, end);
  control[WAITERS]--;
}

/** Takes a thread's own wait off: its time is out. */
export function removeWaiter(control: Int32Array, thread: number, promise: number): void {
  for (let i = 0; i < control[WAITERS]; i++) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_THREAD] !== thread || control[at + W_ASYNC] !== promise) continue;
    removeAt(control, i);
    return;
  }
}

export function hasWaiters(control: Int32Array, loc: number): boolean {
  for (let i = 0; i < control[WAITERS]; i++) if (control[WAITER + i * WAITER_STRIDE + W_LOC] === loc) return true;
  return false;
}

/** What {@link wake} leaves: how many woke, and which threads, as bits. */
export interface Woken {
  count: number;
  threads: number;
}

/** Lets up to `most` of those asleep on a word go on, oldest first. */
export function wake(control: Int32Array, loc: number, most: number, woken: Woken): void {
  woken.count = 0;
  woken.threads = 0;
  for (let i = 0; i < control[WAITERS] && woken.count < most; ) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_LOC] !== loc) {
      i++;
      continue;
    }
    const thread = control[at + W_THREAD];
    const idle = control[PENDING + thread * PENDING_STRIDE + P_KIND] === K_WAIT_ASYNC;
    woken.count++;
    if (control[at + W_ASYNC] === 0) {
      removeAt(control, i);
    } else {
      control[at + W_LOC] = RESOLVED; // its thread takes it off, once it is back on its event loop
      i++;
      if (!idle || (control[ASLEEP] & (1 << thread)) === 0) continue;
    }
    letGo(control, thread);
    woken.threads |= 1 << thread;
  }
}

/** Takes off the promises of a thread that were notified. @returns their numbers. */
export function takeResolved(control: Int32Array, thread: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < control[WAITERS]; ) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_THREAD] !== thread || control[at + W_LOC] !== RESOLVED) {
      i++;
      continue;
    }
    numbers.push(control[at + W_ASYNC]);
    removeAt(control, i);
  }
  return numbers;
}

export function hasPromises(control: Int32Array, thread: number): boolean {
  for (let i = 0; i < control[WAITERS]; i++) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_THREAD] === thread && control[at + W_ASYNC] !== 0) return true;
  }
  return false;
}

/** A thread asleep goes on, when its turn comes. */
export function letGo(control: Int32Array, thread: number): void {
  const bit = 1 << thread;
  control[ASLEEP] &= ~bit;
  control[ENABLED] &= ~bit; // a time-out that could have fired
  control[LOCALS] |= bit;
  control[PENDING + thread * PENDING_STRIDE + P_WOKEN] = WOKEN_OK;
}

/** Moves virtual time on to the earliest deadline of a blocking wait. @returns its thread, or -1 when nobody's time can run out. */
export function fireEarliestTimeout(control: Int32Array): number {
  let best = -1;
  for (let i = 0; i < control[WAITERS]; i++) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_DEADLINE] < 0 || control[at + W_ASYNC] !== 0) continue;
    if (best < 0 || control[at + W_DEADLINE] < control[best + W_DEADLINE]) best = at;
  }
  if (best < 0) return -1;
  control[NOW] = Math.max(control[NOW], control[best + W_DEADLINE]);
  return control[best + W_THREAD];
}
