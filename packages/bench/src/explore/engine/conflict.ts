import { MARK_CALL, MARK_DONE, QUEUE_READ, QUEUE_WRITE, VALUE_READ, VALUE_WRITE } from './control.layout.ts';

/** By class: the classes that it conflicts with, at the same location. */
export const CONFLICTS: Uint8Array = new Uint8Array(64);
for (let c = 0; c < 64; c++) {
  let against = 0;
  if ((c & VALUE_READ) !== 0) against |= VALUE_WRITE;
  if ((c & VALUE_WRITE) !== 0) against |= VALUE_READ | VALUE_WRITE;
  if ((c & QUEUE_READ) !== 0) against |= QUEUE_WRITE;
  if ((c & QUEUE_WRITE) !== 0) against |= QUEUE_READ | QUEUE_WRITE;
  if ((c & MARK_CALL) !== 0) against |= MARK_DONE;
  if ((c & MARK_DONE) !== 0) against |= MARK_CALL;
  CONFLICTS[c] = against;
}
