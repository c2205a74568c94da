import { LINE } from '../sync/index.ts';
import { FAULT_WORDS } from './record.ts';

// Layout tables of the fault path's own structures. Offsets are words of 32 bits. `lock` names what guards a plain word.

// Request: a page request set aside, a group (which holds its last request), or a copy on a device's list. One slab object.
//
//   name      offset  width  guarded by                            meaning
//   RECORD    0       8      its owner                             the fault record (record.ts); GROUP objects: the last request
//   STATE     8       1      atomic                                GROUP_* state, domain and fault_param (packGroupState)
//   FAULTS    10      1      its owner                             first set-aside member, oldest first; 0 none. Linked by CHAIN
//   COUNT     11      1      its owner                             members, the last one included
//   NEXT      12      1      fault lock                            on the fault_param's list
//   PREV      13      1      fault lock                            on the fault_param's list
//   CHAIN     14      1      fault lock, then the group's owner    next set-aside request, on the partial list or in a group
//   COOKIE    15      1      its owner                             the consumer's cookie
//
// The first 16 words are one cache line: a group without set-aside members touches no other.
export const REQUEST_RECORD = 0;
export const GROUP_STATE: number = FAULT_WORDS;
export const GROUP_FAULTS = 10;
export const GROUP_COUNT = 11;
export const LIST_NEXT = 12;
export const LIST_PREV = 13;
export const REQUEST_CHAIN = 14;
export const GROUP_COOKIE = 15;
/** Two cache lines an object, as lines are fetched in pairs. */
export const REQUEST_WORDS: number = LINE;

/** Not a group in flight: free, being assembled, a set-aside request or a copy. */
export const GROUP_IDLE = 0;
/** Reported; owes its device an answer. */
export const GROUP_PENDING = 1;
/** Its holder answered. */
export const GROUP_ANSWERED = 2;
/** Answered for its holder (PRI-off, light flush): the holder's own answer is a no-op. */
export const GROUP_VOID = 3;

const STATE_BITS = 3;
const INDEX_BITS = 14;
/** Domains and fault_params are numbered from 1 to this: both share the state word with the state. */
export const MAX_INDEX: number = (1 << INDEX_BITS) - 1;

// The state word carries whom the group belongs to, so that whoever answers a device's pending groups decides and claims
// in one compare-exchange: a slot that was recycled meanwhile holds another word.
export function packGroupState(state: number, domain: number, param: number): number {
  return state | (domain << STATE_BITS) | (param << (STATE_BITS + INDEX_BITS));
}
export function groupStateOf(word: number): number {
  return word & ((1 << STATE_BITS) - 1);
}
export function groupDomainOf(word: number): number {
  return (word >>> STATE_BITS) & MAX_INDEX;
}
export function groupParamOf(word: number): number {
  return (word >>> (STATE_BITS + INDEX_BITS)) & MAX_INDEX;
}

// Device: one entry of the device table.
//
//   name         offset  width  guarded by   meaning
//   PARAM        0       1      atomic       its fault_param, 0 none; installed by compare-exchange
//   PARAM_LOCK   32      1      atomic       mutex: PARAM's users (locked, v7)
//   ATTACH_LOCK  64      1      atomic       mutex: the attach array's look-up in the generations that lock it (xa_lock)
//   GROUP_MUTEX  96      1      atomic       mutex: attach, replace and detach exclude one another
export const DEVICE_PARAM = 0;
export const DEVICE_PARAM_LOCK: number = LINE;
export const DEVICE_ATTACH_LOCK: number = 2 * LINE;
export const DEVICE_GROUP_MUTEX: number = 3 * LINE;
export const DEVICE_WORDS: number = 4 * LINE;

// fault_param: what the core keeps for a device that may fault. A slab object.
//
//   name      offset  width  guarded by   meaning
//   DEVICE    0       1      constant     whose it is
//   LOCK      32      1      atomic       the fault lock
//   PARTIAL   33      1      fault lock   newest set-aside request, 0 none
//   PARTIALS  34      1      fault lock   how many are set aside: a last request looks at the list only if there are any
//   HEAD      35      1      fault lock   oldest entry of the pending list
//   TAIL      36      1      fault lock   newest entry
//   LENGTH    37      1      fault lock   entries
//   USERS     64      1      atomic       reference count (shared), or a plain user count under PARAM_LOCK (v7)
export const PARAM_DEVICE = 0;
export const PARAM_LOCK: number = LINE;
export const PARAM_PARTIAL: number = LINE + 1;
export const PARAM_PARTIALS: number = LINE + 2;
export const PARAM_HEAD: number = LINE + 3;
export const PARAM_TAIL: number = LINE + 4;
export const PARAM_LENGTH: number = LINE + 5;
export const PARAM_USERS: number = 2 * LINE;
export const PARAM_WORDS: number = 3 * LINE;

// Domain: one entry of the domain table. Its pending counter stands in the counter bank, by the same number.
//
//   name      offset  width  guarded by   meaning
//   STATE     0       1      atomic       DOMAIN_*
//   HANDLER   1       1      constant     HANDLER_* kind, 0: no fault handler
//   MM        2       1      constant     the address space's number, for HANDLER_SVA
//   ATTACHED  3       1      atomic       attachments, devices and PASIDs
export const DOMAIN_STATE = 0;
export const DOMAIN_HANDLER = 1;
export const DOMAIN_MM = 2;
export const DOMAIN_ATTACHED = 3;
export const DOMAIN_WORDS: number = LINE;

export const DOMAIN_FREE = 0;
export const DOMAIN_LIVE = 1;
export const DOMAIN_DYING = 2;

export const HANDLER_NONE = 0;
/** Answers Success without work: what the path itself costs. */
export const HANDLER_NOOP = 1;
/** Shared virtual addressing: the address space's own fault routine. */
export const HANDLER_SVA = 2;
/** Groups go to a consumer outside the core, such as a fault file. */
export const HANDLER_CONSUMER = 3;

// Attach handle: what the attach array holds for a PASID. A slab object, freed after a grace period.
//
//   name    offset  width  guarded by             meaning
//   DOMAIN  0       1      constant once stored   the attached domain
//   DEVICE  1       1      constant once stored
//   PASID   2       1      constant once stored   0: no PASID
export const HANDLE_DOMAIN = 0;
export const HANDLE_DEVICE = 1;
export const HANDLE_PASID = 2;
export const HANDLE_WORDS = 16;
