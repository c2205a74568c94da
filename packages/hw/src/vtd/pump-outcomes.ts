import {
  REQUEST_EXECUTE,
  REQUEST_NOT_CANONICAL,
  REQUEST_PRIVILEGED,
  REQUEST_STOP_MARKER,
  REQUEST_UNKNOWN_TYPE,
} from './page-requests.ts';

/** What became of a descriptor, a fault record or an error. */
export const PUMP_OUTCOMES = [
  'reported', // handed to the core, which answers the device
  'refused', // handed to the core, which refused it (and answered the device)
  'stopMarkers', // skipped: nobody answers them
  'notCanonical', // refused here: answered Invalid if it ends its group
  'privileged', // refused here: PRIV with RD or WR
  'execute', // refused here: EXE with RD
  'unknownRequester', // refused here: no driver for the RID
  'unknownType', // no page request: skipped without an answer, as nothing in it can be trusted
  'overflows', // overflows acknowledged, partial groups dropped
  'overflowsLeft', // overflows left for the next pass: the queue was not empty
  'discarded', // set-aside requests dropped by those
  'faults', // fault records taken
  'faultOverflows', // fault records lost: acknowledged
  'queueErrors', // invalidation queue errors acknowledged here
] as const;
export type PumpOutcome = (typeof PUMP_OUTCOMES)[number];
export const REPORTED = 0;
export const REFUSED = 1;
export const STOP_MARKERS = 2;
export const UNKNOWN_REQUESTER = 6;
export const OVERFLOWS = 8;
export const OVERFLOWS_LEFT = 9;
export const DISCARDED = 10;
export const FAULTS = 11;
export const FAULT_OVERFLOWS = 12;
export const QUEUE_ERRORS = 13;
/** Outcome of each judgement but REQUEST_GOOD. */
export const OUTCOME_OF: Int32Array = new Int32Array(6);
OUTCOME_OF[REQUEST_STOP_MARKER] = STOP_MARKERS;
OUTCOME_OF[REQUEST_NOT_CANONICAL] = 3;
OUTCOME_OF[REQUEST_PRIVILEGED] = 4;
OUTCOME_OF[REQUEST_EXECUTE] = 5;
OUTCOME_OF[REQUEST_UNKNOWN_TYPE] = 7;
