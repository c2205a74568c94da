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
