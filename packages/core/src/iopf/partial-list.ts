import type { SlabCache } from '../memory/index.ts';
import type { Words } from '../sync/index.ts';
import { GROUP_COUNT, GROUP_FAULTS, PARAM_PARTIAL, PARAM_PARTIALS, REQUEST_CHAIN, REQUEST_WORDS } from './layout.ts';
import { FAULT_GRPID } from './record.ts';

// The set-aside requests of one device, newest first, linked by CHAIN. Context: fault lock held, for every function that takes
// `param`. PARTIALS alone is also read without it, by the one thread that reports for the device: who else changes it (removal,
// discard) has fenced that thread.

export function partialAdd(words: Words, objects: number, param: number, index: number): void {
  words[objects + index * REQUEST_WORDS + REQUEST_CHAIN] = words[param + PARAM_PARTIAL];
  words[param + PARAM_PARTIAL] = index;
  words[param + PARAM_PARTIALS] += 1;
}

/** Moves the requests of `grpid` from the partial list into the group, oldest first (both lists insert at the head, which
 * turns the order round). The PASID takes no part, as in Linux. @returns how many were moved. */
export function partialsToGroup(words: Words, objects: number, param: number, group: number, grpid: number): number {
  const groupAt = objects + group * REQUEST_WORDS;
  let first = 0;
  let moved = 0;
  let previous = 0;
  let index = words[param + PARAM_PARTIAL];
  while (index !== 0) {
    const at = objects + index * REQUEST_WORDS;
    const next = words[at + REQUEST_CHAIN];
    if (words[at + FAULT_GRPID] === grpid) {
      if (previous === 0) words[param + PARAM_PARTIAL] = next;
      else words[objects + previous * REQUEST_WORDS + REQUEST_CHAIN] = next;
      words[at + REQUEST_CHAIN] = first;
      first = index;
      moved++;
    } else previous = index;
    index = next;
  }
  words[groupAt + GROUP_FAULTS] = first;
  words[groupAt + GROUP_COUNT] = moved + 1;
  if (moved !== 0) words[param + PARAM_PARTIALS] -= moved;
  return moved;
}

/** As a grpid: every group's. A device's own are not negative. */
export const ALL_GROUPS = -1;

/** Frees the set-aside requests of one grpid, or with ALL_GROUPS all of them. @returns how many. */
export function partialsDrop(words: Words, objects: number, param: number, grpid: number, cache: SlabCache): number {
  let dropped = 0;
  let previous = 0;
  let index = words[param + PARAM_PARTIAL];
  while (index !== 0) {
    const at = objects + index * REQUEST_WORDS;
    const next = words[at + REQUEST_CHAIN];
    if (grpid === ALL_GROUPS || words[at + FAULT_GRPID] === grpid) {
      if (previous === 0) words[param + PARAM_PARTIAL] = next;
      else words[objects + previous * REQUEST_WORDS + REQUEST_CHAIN] = next;
      cache.free(index);
      dropped++;
    } else previous = index;
    index = next;
  }
  if (dropped !== 0) words[param + PARAM_PARTIALS] -= dropped;
  return dropped;
}

/** Frees a group's set-aside members. Context: the group's owner. */
export function freeMembers(words: Words, objects: number, groupAt: number, cache: SlabCache): void {
  let index = words[groupAt + GROUP_FAULTS];
  while (index !== 0) {
    const next = words[objects + index * REQUEST_WORDS + REQUEST_CHAIN];
    cache.free(index);
    index = next;
  }
  words[groupAt + GROUP_FAULTS] = 0;
}
