// One page request of a trace, whatever the text that it was read from. Filled again and again by who parses, so that a line of a trace
// costs no object.
import { FAULT_PERM_EXEC, FAULT_PERM_PRIV, FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/fault-record';

/** Page numbers have 52 bits: exact in a number. */
export const MAX_PAGE_NUMBER: number = 2 ** 52 - 1;
export const MAX_RID = 0xffff;
export const MAX_PASID = 0xfffff;
/** Page request group indices of a function: 9 bits. */
export const GROUP_INDICES = 512;
export const MAX_SEQUENCE: number = Number.MAX_SAFE_INTEGER;

export class TraceRecord {
  /** When it was reported, in nanoseconds of the trace's own clock; NaN where the line does not say. */
  timeNs: number = Number.NaN;
  /** Number of the device's name, from 0 (DeviceNames). */
  device = 0;
  /** The queue's count of requests, as printed. */
  sequence = 0;
  rid = 0;
  pasid = 0;
  /** Page request group index. */
  index = 0;
  /** Page number: the address without its last 12 bits. */
  page = 0;
  /** FAULT_PERM_* bits. */
  perm = 0;
  /** Last of its group. */
  isLast = false;
}

/** The five letters of the event's flags, in their order, each with its FAULT_PERM bit; the fifth is the last page's. */
export const FLAG_LETTERS = 'rwxpl';
export const FLAG_PERMS: readonly number[] = [FAULT_PERM_READ, FAULT_PERM_WRITE, FAULT_PERM_EXEC, FAULT_PERM_PRIV];

/** @returns e.g. `rw--l`. */
export function flagText(perm: number, isLast: boolean): string {
  const letters = FLAG_PERMS.map((bit, i) => ((perm & bit) === 0 ? '-' : FLAG_LETTERS[i]));
  return `${letters.join('')}${isLast ? 'l' : '-'}`;
}
