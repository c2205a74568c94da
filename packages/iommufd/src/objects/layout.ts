import { LINE } from '@faultline/core/sync';

// Object: one row of the machine's object pool, whatever its type. Offsets in words.
//
//   name     offset  guarded by                     meaning
//   TYPE     0       constant once published        OBJ_*
//   CONTEXT  1       constant once published        whose it is
//   ID       2       constant once published        its id in that context
//   USERS    3       atomic                         1 for the table, 1 for every dependent and every running call (kernel: users)
//   RUNNING  4       atomic                         1 for the table, 1 for every running call (kernel: wait_cnt)
//   WAITING  5       atomic                         1 while a destroyer may sleep on RUNNING
//   FILES    6       atomic                         descriptors that hold it and its context
//   (7)
//   PAYLOAD  8       see the type's own layout      24 words
//
// A row is not all of an object: what is large or has locks of its own stands in a pool of its type, named by a payload word.
export const OBJECT_TYPE = 0;
export const OBJECT_CONTEXT = 1;
export const OBJECT_ID = 2;
export const OBJECT_USERS = 3;
export const OBJECT_RUNNING = 4;
export const OBJECT_WAITING = 5;
export const OBJECT_FILES = 6;
export const OBJECT_PAYLOAD = 8;
export const OBJECT_WORDS: number = LINE;

/** What an id's slot holds besides an object's index: taken, but not to be found. */
export const ID_RESERVED = 0x7ffffffe;
/** Taken for the rest of the context's life: its vdevice went with its device. */
export const ID_TOMBSTONE = 0x7ffffffd;
/** Ids are one space a context: 20 bits. */
export const MAX_ID: number = (1 << 20) - 1;
