import { LINE } from '@faultline/core/sync';

// Event queue: a record of the pool `veventqs`, named by the object's VEVENTQ_BODY. Offsets in words.
//
//   name      offset  guarded by     meaning
//   DEPTH     0       constant       normal events that may wait
//   LOCK      2       atomic         mutex: all below but WAKE
//   HEAD      3       LOCK           oldest event that waits (pool `events`), 0 for none
//   TAIL      4       LOCK           newest; means nothing while HEAD is 0
//   EVENTS    5       LOCK           normal events that were not delivered whole: those that a reader is copying included
//   SEQUENCE  6       LOCK           number of the next event, from 0 up to SEQUENCE_LAST and again
//   LOST      7       LOCK           1: events were lost since the newest of the list: a header says so behind it
//   LOST_AT   8       LOCK           that header's number: the last lost event's
//   WAKE      LINE    atomic         changed by each report: sleepers wait on it
export const VEVENTQ_DEPTH = 0;
export const VEVENTQ_LOCK = 2;
export const VEVENTQ_HEAD = 3;
export const VEVENTQ_TAIL = 4;
export const VEVENTQ_EVENTS = 5;
export const VEVENTQ_SEQUENCE = 6;
export const VEVENTQ_LOST = 7;
export const VEVENTQ_LOST_AT = 8;
export const VEVENTQ_WAKE: number = LINE;
export const VEVENTQ_WORDS: number = 2 * LINE;

export const SEQUENCE_LAST: number = 2 ** 31 - 1;
export const MAX_DEPTH: number = 2 ** 19;

// Event: a record of the pool `events`. Its reporter's until it is in a list, its reader's once it is out of it: only NEXT changes inside.
//
//   name      offset  meaning
//   NEXT      0       next event of the list
//   SEQUENCE  1
//   BYTES     2       of the payload
//   PAYLOAD   4       up to MAX_EVENT_BYTES
export const EVENT_NEXT = 0;
export const EVENT_SEQUENCE = 1;
export const EVENT_BYTES = 2;
export const EVENT_PAYLOAD = 4;
export const MAX_EVENT_BYTES = 32;
export const EVENT_WORDS: number = EVENT_PAYLOAD + MAX_EVENT_BYTES / 4;
