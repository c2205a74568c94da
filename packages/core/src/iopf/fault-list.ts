import type { Words } from '../sync/index.ts';
import { LIST_NEXT, LIST_PREV, PARAM_HEAD, PARAM_LENGTH, PARAM_TAIL, REQUEST_WORDS } from './layout.ts';

// A fault_param's list, oldest first, linked through its members by slab index. Context: fault lock held, for every function.
// `objects` is the word offset of the slab's object 0, `param` that of the fault_param.

export function listAppend(words: Words, objects: number, param: number, index: number): void {
  const at = objects + index * REQUEST_WORDS;
  const tail = words[param + PARAM_TAIL];
  words[at + LIST_NEXT] = 0;
  words[at + LIST_PREV] = tail;
  if (tail === 0) words[param + PARAM_HEAD] = index;
  else words[objects + tail * REQUEST_WORDS + LIST_NEXT] = index;
  words[param + PARAM_TAIL] = index;
  words[param + PARAM_LENGTH]++;
}

export function listRemove(words: Words, objects: number, param: number, index: number): void {
  const at = objects + index * REQUEST_WORDS;
  const next = words[at + LIST_NEXT];
  const prev = words[at + LIST_PREV];
  if (prev === 0) words[param + PARAM_HEAD] = next;
  else words[objects + prev * REQUEST_WORDS + LIST_NEXT] = next;
  if (next === 0) words[param + PARAM_TAIL] = prev;
  else words[objects + next * REQUEST_WORDS + LIST_PREV] = prev;
  words[param + PARAM_LENGTH]--;
}

/** @returns the oldest entry, 0 when the list is empty. */
export function listHead(words: Words, param: number): number {
  return words[param + PARAM_HEAD];
}

export function listNext(words: Words, objects: number, index: number): number {
  return words[objects + index * REQUEST_WORDS + LIST_NEXT];
}
