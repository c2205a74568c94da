// iommufd_veventq_fops_read() in small, from 6.15 to 7.1 and since 7.2: events wait in a list, and a header that says that some were lost
// is copied before it is handed out. Sizes in words here: a header is two, as an event's payload.
import { type Kernel, List } from './kernel.ts';
import { EFAULT, ENOMEM } from './read-exhibit.ts';

export const HEADER_BYTES = 8;
const PAYLOAD_BYTES = 8;

export const SHARED = { DELIVER: 0, WRITABLE: 1, NO_MEMORY: 2, USER: 3 } as const;
export const SHARED_FIELDS: Readonly<Record<string, number>> = { ...SHARED, 'USER[1]': 4, 'USER[2]': 5, 'USER[3]': 6 };
export const EVENT = { NODE: 0, IS_LOST: 1 } as const;

export interface Fixes {
  /** A header whose payload cannot be copied is not counted. */
  readonly rewindsHeader: boolean;
  /** Memory that is not to be had for the copy of a lost header is said. */
  readonly saysNoMemory: boolean;
}
export const ALL_FIXES: Fixes = { rewindsHeader: true, saysNoMemory: true };

/** For setup: one event waits. @param writable words of the user's buffer that can be written. */
export function queueEvent(kernel: Kernel, isLost: boolean, writable: number): void {
  const event = kernel.alloc();
  kernel.words[event + EVENT.IS_LOST] = isLost ? 1 : 0;
  new List(kernel, EVENT.NODE).append(kernel.shared(SHARED.DELIVER), event);
  kernel.words[kernel.shared(SHARED.WRITABLE)] = writable;
}

function copyToUser({ words, shared }: { words: Kernel['words']; shared: number }, byte: number): boolean {
  for (let word = byte / 4; word < byte / 4 + 2; word++) {
    if (word >= words[shared + SHARED.WRITABLE]) return false;
    Atomics.store(words, shared + SHARED.USER + word, 1);
  }
  return true;
}

/** read(), with room for one event. @returns bytes, or an errno. */
export function eventRead(kernel: Kernel, fixes: Fixes): number {
  const { words } = kernel;
  const user = { words, shared: kernel.shared(0) };
  const deliver = new List(kernel, EVENT.NODE);
  const head = kernel.shared(SHARED.DELIVER);
  let done = 0;
  while (done === 0) {
    const event = Atomics.load(words, head);
    if (event === 0) break;
    const isLost = words[event + EVENT.IS_LOST] === 1;
    if (isLost && words[kernel.shared(SHARED.NO_MEMORY)] === 1) return fixes.saysNoMemory ? ENOMEM : done;
    deliver.shift(head);
    if (!copyToUser(user, done)) {
      deliver.append(head, event);
      return EFAULT;
    }
    done += HEADER_BYTES;
    if (isLost) continue;
    if (!copyToUser(user, done)) {
      deliver.append(head, event);
      if (fixes.rewindsHeader) done -= HEADER_BYTES;
      return done === 0 ? EFAULT : done;
    }
    done += PAYLOAD_BYTES;
  }
  return done;
}
