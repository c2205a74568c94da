// Who is asleep on which word, in the order in which they fell asleep: a list like the engine's own, but visible.
import {
  ASLEEP,
  ENABLED,
  LOCALS,
  MAX_WAITERS,
  NOW,
  P_IDLE,
  P_WOKEN,
  PENDING,
  PENDING_STRIDE,
  SPINNING,
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

/** Puts a thread (or one of its promises, from 1) on the list. @returns whether there is room. */
export function addWaiter(
  control: Int32Array,
  thread: number,
  loc: number,
  promise: number,
  deadline: number,
): boolean {
  const count = control[WAITERS];
  if (count === MAX_WAITERS) return false;
  const at = WAITER + count * WAITER_STRIDE;
  control[WAITERS] = count + 1;
  control[at + W_THREAD] = thread;
  control[at + W_LOC] = loc;
  control[at + W_ASYNC] = promise;
  control[at + W_DEADLINE] = deadline;
  control[at + W_ORDER] = ++control[WAIT_ORDER];
  return true;
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

/** What {@link wake} leaves: how many woke; as bits, which threads, and whose event loops got something to do. */
export interface Woken {
  count: number;
  threads: number;
  posted: number;
}

/** Lets up to `most` of those asleep on a word go on, oldest first. */
export function wake(control: Int32Array, loc: number, most: number, woken: Woken): void {
  woken.count = 0;
  woken.threads = 0;
  woken.posted = 0;
  for (let i = 0; i < control[WAITERS] && woken.count < most; ) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_LOC] !== loc) {
      i++;
      continue;
    }
    const thread = control[at + W_THREAD];
    woken.count++;
    if (control[at + W_ASYNC] === 0) {
      removeAt(control, i);
      letGo(control, thread);
      woken.threads |= 1 << thread;
    } else {
      control[at + W_LOC] = RESOLVED; // its thread takes it off, once it is back on its event loop
      control[at + W_ORDER] = ++control[WAIT_ORDER];
      i++;
      post(control, thread);
      woken.posted |= 1 << thread;
    }
  }
}

/** A thread has something to do on its event loop: whether it sleeps there or goes round in vain, it may go on. */
function post(control: Int32Array, thread: number): void {
  const bit = 1 << thread;
  const idle = control[PENDING + thread * PENDING_STRIDE + P_IDLE] !== 0;
  if (idle || (control[SPINNING] & bit) !== 0) {
    if (idle) control[ASLEEP] &= ~bit;
    control[SPINNING] &= ~bit;
    control[ENABLED] |= bit;
  }
}

function firstResolved(control: Int32Array, thread: number): number {
  let first = -1;
  for (let i = 0; i < control[WAITERS]; i++) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_THREAD] !== thread || control[at + W_LOC] !== RESOLVED) continue;
    if (first < 0 || control[at + W_ORDER] < control[WAITER + first * WAITER_STRIDE + W_ORDER]) first = i;
  }
  return first;
}

export function hasResolved(control: Int32Array, thread: number): boolean {
  return firstResolved(control, thread) >= 0;
}

/** Takes off the promise of a thread that was notified first. @returns its number, 0 for none. */
export function takeResolved(control: Int32Array, thread: number): number {
  const first = firstResolved(control, thread);
  if (first < 0) return 0;
  const number = control[WAITER + first * WAITER_STRIDE + W_ASYNC];
  removeAt(control, first);
  return number;
}

/** Threads whose promises a notify of a word would resolve, as bits. */
export function wouldPost(control: Int32Array, loc: number): number {
  let threads = 0;
  for (let i = 0; i < control[WAITERS]; i++) {
    const at = WAITER + i * WAITER_STRIDE;
    if (control[at + W_LOC] === loc && control[at + W_ASYNC] !== 0) threads |= 1 << control[at + W_THREAD];
  }
  return threads;
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

/** Moves virtual time on to the earliest deadline of a blocking wait. @returns whose time runs out then, as bits: which of them is
 * first is not said by the order in which they fell asleep. */
export function fireEarliestTimeouts(control: Int32Array): number {
  let earliest = -1;
  let threads = 0;
  for (let i = 0; i < control[WAITERS]; i++) {
    const at = WAITER + i * WAITER_STRIDE;
    const deadline = control[at + W_DEADLINE];
    if (deadline < 0 || control[at + W_ASYNC] !== 0 || (earliest >= 0 && deadline > earliest)) continue;
    threads = (deadline === earliest ? threads : 0) | (1 << control[at + W_THREAD]);
    earliest = deadline;
  }
  if (threads !== 0) control[NOW] = Math.max(control[NOW], earliest);
  return threads;
}
