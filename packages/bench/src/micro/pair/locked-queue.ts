// What one writes without a ring: a queue in shared memory, and a mutex round it.
import { LINE, mutexLock, mutexUnlock } from '@faultline/core';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';
import { recordsSum } from './records.ts';
import { SPSC_IN_RUNS, SPSC_SINGLE } from './spsc.ts';

const CAPACITY = 4096;
const MASK = CAPACITY - 1;
const WIDTH = 8;
const PROD = LINE; // guarded by the lock at 0, as all below
const CONS = 2 * LINE;
const SLOTS = 3 * LINE;
const SPINS = 200;

function fill({ words, base, items }: Bench, batch: number): number {
  const self = { id: 1, spins: SPINS };
  for (let i = 0, looks = 0; i < items; ) {
    mutexLock(words, base, self);
    let prod = words[base + PROD];
    const room = CAPACITY - (prod - words[base + CONS]);
    const count = Math.min(room, batch, items - i);
    for (let k = 0; k < count; k++, i++, prod++) {
      const at = base + SLOTS + (prod & MASK) * WIDTH;
      words[at] = i;
      words[at + 1] = i + 1;
      words[at + 2] = i + 2;
      words[at + 3] = i + 3;
      words[at + 4] = i + 4;
      words[at + 5] = i + 5;
      words[at + 6] = i + 6;
      words[at + 7] = i + 7;
    }
    words[base + PROD] = prod;
    mutexUnlock(words, base, self);
    if (count > 0) looks = 0;
    else if (++looks > LOOKS) looks = standBy(words);
  }
  return 0;
}

function empty({ words, base, items }: Bench, batch: number): number {
  const self = { id: 2, spins: SPINS };
  let sum = 0;
  for (let i = 0, looks = 0; i < items; ) {
    mutexLock(words, base, self);
    let cons = words[base + CONS];
    const count = Math.min(words[base + PROD] - cons, batch);
    for (let k = 0; k < count; k++, cons++) {
      const at = base + SLOTS + (cons & MASK) * WIDTH;
      sum =
        (sum +
          words[at] +
          words[at + 1] +
          words[at + 2] +
          words[at + 3] +
          words[at + 4] +
          words[at + 5] +
          words[at + 6] +
          words[at + 7]) |
        0;
    }
    words[base + CONS] = cons;
    mutexUnlock(words, base, self);
    i += count;
    if (count > 0) looks = 0;
    else if (++looks > LOOKS) looks = standBy(words);
  }
  words[base + PROD] = 0; // both sides are through: the indices of the next round begin again
  words[base + CONS] = 0;
  return sum;
}

function locked(name: string, peerOf: string, batch: number): PairCase {
  return {
    name,
    peerOf,
    kind: 'throughput',
    words: SLOTS + CAPACITY * WIDTH,
    sides: [(bench) => fill(bench, batch), (bench) => empty(bench, batch)],
    check: (items) => recordsSum(items, WIDTH),
  };
}

export const lockedQueueCases: readonly PairCase[] = [
  locked('mutex round a queue, up to 256 a lock', SPSC_IN_RUNS, 256),
  locked('mutex round a queue, 1 a lock', SPSC_SINGLE, 1),
];
