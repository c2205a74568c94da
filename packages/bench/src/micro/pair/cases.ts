import { faultPair } from '../iommufd/fault-pair.ts';
import { disjointCases, JOBS } from '../page-table/disjoint.ts';
import { entryHeapCases } from '../page-table/entry-heap.ts';
import { sweepCaseNamed } from '../sweep/case.ts';
import type { PairCase } from './case.ts';
import { faultPathCases } from './fault-path.ts';
import { lockedQueueCases } from './locked-queue.ts';
import { messageRoundTrip, messageThroughput } from './messages.ts';
import { mpscCases } from './mpsc.ts';
import { ringbufCases } from './ringbuf.ts';
import { roundTripCases } from './round-trips.ts';
import { spscCases } from './spsc.ts';
import { valueCases } from './values.ts';

/** All of what is measured between two threads, in the order of the tables. A new case is a file here and a line below. */
export const CASES: readonly PairCase[] = [
  ...faultPathCases,
  ...spscCases,
  ...mpscCases,
  ...valueCases,
  ...ringbufCases,
  ...lockedQueueCases,
  messageThroughput,
  ...roundTripCases,
  messageRoundTrip,
];

const MEASURED_APART: readonly PairCase[] = [faultPair, ...JOBS.flatMap(disjointCases), ...entryHeapCases];

/** The case of that name, in the tables of {@link CASES} or in one of its own. */
export function findCase(name: string): PairCase | undefined {
  return (
    CASES.find((each) => each.name === name) ??
    MEASURED_APART.find((each) => each.name === name) ??
    sweepCaseNamed(name)
  );
}
