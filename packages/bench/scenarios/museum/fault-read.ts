// iommufd_fault_fops_read() in small, from 6.11 to 7.1 and since 7.2: groups wait in a deliver list, and are copied to the user record by
// record. Which of the fixes are in is an argument.
import { type Kernel, List } from './kernel.ts';
import { EFAULT, EINVAL } from './read-exhibit.ts';

export const RECORD_BYTES = 40;

export const SHARED = { DELIVER: 0, WRITABLE: 1, COOKIES: 2, USER: 3 } as const;
export const SHARED_FIELDS: Readonly<Record<string, number>> = { ...SHARED, 'USER[1]': 4, 'USER[2]': 5 };
export const GROUP = { NODE: 0, RECORDS: 1 } as const;

/** What each of the commits put right. */
export interface Fixes {
  /** Records of a group that goes back are not counted. */
  readonly countsWholeGroups: boolean;
  /** The loop over groups is left as well, not only the one over records. */
  readonly leavesLoop: boolean;
  /** A first group that does not fit is an error. */
  readonly refusesCount: boolean;
}
export const ALL_FIXES: Fixes = { countsWholeGroups: true, leavesLoop: true, refusesCount: true };

/** For setup: one group waits, and the user's buffer can be written up to record `writable`. */
export function queueGroup(kernel: Kernel, records: number, writable: number): void {
  const group = kernel.alloc();
  kernel.words[group + GROUP.RECORDS] = records;
  new List(kernel, GROUP.NODE).append(kernel.shared(SHARED.DELIVER), group);
  kernel.words[kernel.shared(SHARED.WRITABLE)] = writable;
}

function copyToUser(kernel: Kernel, record: number): boolean {
  if (record >= kernel.words[kernel.shared(SHARED.WRITABLE)]) return false;
  Atomics.store(kernel.words, kernel.shared(SHARED.USER) + record, 1);
  return true;
}

/** read(). @param room records that fit. @returns bytes, or an errno. */
export function faultRead(kernel: Kernel, room: number, fixes: Fixes): number {
  const { words } = kernel;
  const deliver = new List(kernel, GROUP.NODE);
  const head = kernel.shared(SHARED.DELIVER);
  let done = 0;
  let refusal = 0;
  for (let group = deliver.shift(head); group !== 0; group = deliver.shift(head)) {
    const records = words[group + GROUP.RECORDS];
    if (records > room - done) {
      if (fixes.refusesCount && done === 0) refusal = EINVAL;
      deliver.append(head, group); // in front, of one
      break;
    }
    Atomics.add(words, kernel.shared(SHARED.COOKIES), 1);
    let copied = 0;
    while (copied < records && copyToUser(kernel, done + copied)) copied++;
    if (copied < records) {
      refusal = EFAULT;
      Atomics.sub(words, kernel.shared(SHARED.COOKIES), 1);
      deliver.append(head, group);
      if (!fixes.countsWholeGroups) done += copied;
      if (fixes.leavesLoop) break;
    } else done += records;
  }
  return done === 0 ? refusal : done * RECORD_BYTES;
}
