// What an item costs on the JavaScript heap, counted by V8 on both threads of a pair. A queue of objects, which does allocate,
// is counted beside the fault path: it shows that the count sees what there is.

import type { PairCase } from './pair/case.ts';
import { CASES } from './pair/cases.ts';
import { FAULT_LOCKLESS } from './pair/fault-path.ts';
import { Pair } from './pair/measure.ts';
import { messageThroughput } from './pair/messages.ts';

export interface AllocationRow {
  readonly name: string;
  readonly side: string;
  readonly items: number;
  readonly allocatedBytes: number;
  readonly bytesPerItem: number;
  /** Garbage collections of that thread meanwhile. */
  readonly collections: number;
}

export interface AllocationOptions {
  readonly faults: number;
  readonly messages: number;
}

/** Rounds before the measured one, a tenth as long each: all that is to be compiled is by then. */
const WARMUP_ROUNDS = 4;

export async function measureAllocations({ faults, messages }: AllocationOptions): Promise<AllocationRow[]> {
  const lockless = CASES.find(({ name }) => name === FAULT_LOCKLESS);
  if (lockless === undefined) throw new Error(`no case ${FAULT_LOCKLESS}`);
  return [
    ...(await measureAllocation(lockless, faults, ['device, hardware, interrupt', 'handler'])),
    ...(await measureAllocation(messageThroughput, messages, ['sender', 'receiver'])),
  ];
}

/** Sends `items` through a case between two fresh, warmed-up threads. @returns a row for each side. */
export async function measureAllocation(
  pair: PairCase,
  items: number,
  sides: readonly [string, string],
): Promise<AllocationRow[]> {
  const threads = new Pair(pair, { heap: true });
  try {
    for (let i = 0; i < WARMUP_ROUNDS; i++) await threads.round(Math.ceil(items / 10));
    const { reports } = await threads.round(items);
    return reports.map(({ heap }, at) => {
      if (heap === undefined) throw new Error(`${pair.name}: the heap was not watched`);
      return { name: pair.name, side: sides[at], items, ...heap, bytesPerItem: heap.allocatedBytes / items };
    });
  } finally {
    await threads.stop();
  }
}
