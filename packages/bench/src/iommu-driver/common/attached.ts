// Which domain each device has, and each of its PASIDs: what an invalidation of a domain must reach. While a PASID's domain is replaced
// it has two, of which one is current: who changes what the hardware reads enters a domain before, and takes it out after.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import {
  ATTACHED_CURRENT,
  ATTACHED_DEVICE,
  ATTACHED_DOMAIN,
  ATTACHED_FIRST,
  ATTACHED_FLAGS,
  ATTACHED_HIGH,
  ATTACHED_LOCK,
  ATTACHED_PASID,
  ATTACHED_REGION,
  ATTACHED_ROWS,
  ATTACHED_WORDS,
} from './layout.ts';

export interface Attachment {
  readonly device: number;
  /** 0: what comes without one. */
  readonly pasid: number;
  readonly domain: number;
  /** ATTACHED_CURRENT, and the family's. */
  readonly flags: number;
}

/** One thread's view of all attachments. What it hands out is a copy. Takes its lock for no longer than a look takes. */
export class AttachedDomains {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;

  constructor(arena: Arena, self: ThreadSelf) {
    this.#words = arena.words;
    this.#base = arena.base(ATTACHED_REGION);
    this.#self = self;
  }

  /** Enters a domain that is about to be attached, beside the current one. There already: does nothing.
   * @throws IommuError ENOMEM every row is in use: nothing is changed. */
  add(device: number, pasid: number, domain: number): void {
    this.#locked(() => {
      const words = this.#words;
      if (this.#find(device, pasid, domain) !== 0) return;
      const at = this.#freeRow();
      words[at + ATTACHED_DEVICE] = device;
      words[at + ATTACHED_PASID] = pasid;
      words[at + ATTACHED_DOMAIN] = domain;
      words[at + ATTACHED_FLAGS] = 0;
    });
  }

  /** Makes a domain that was entered the current one, and no other; 0: none is.
   * @param flags the family's. @throws IommuError ENOENT it was not entered. */
  setCurrent(device: number, pasid: number, domain: number, flags: number = 0): void {
    this.#locked(() => {
      const words = this.#words;
      const at = domain === 0 ? 0 : this.#find(device, pasid, domain);
      if (domain !== 0 && at === 0)
        throw new IommuError('ENOENT', 'AttachedDomains', 'domain', domain, `was not entered for PASID ${pasid}`);
      this.#each((row) => {
        if (words[row + ATTACHED_DEVICE] === device && words[row + ATTACHED_PASID] === pasid)
          words[row + ATTACHED_FLAGS] &= ~ATTACHED_CURRENT;
      });
      if (at !== 0) words[at + ATTACHED_FLAGS] = flags | ATTACHED_CURRENT;
    });
  }

  /** The current domain, 0: none. */
  domainOf(device: number, pasid: number): number {
    return this.list((each) => each.device === device && each.pasid === pasid && isCurrent(each))[0]?.domain ?? 0;
  }

  /** Takes a domain out. Not there: does nothing. */
  remove(device: number, pasid: number, domain: number): void {
    this.#locked(() => {
      const at = this.#find(device, pasid, domain);
      if (at !== 0) this.#words[at + ATTACHED_DEVICE] = 0;
    });
  }

  /** All that `pick` wants, in no order. It takes no lock. */
  list(pick: (attachment: Attachment) => boolean): Attachment[] {
    return this.#locked(() => {
      const words = this.#words;
      const found: Attachment[] = [];
      this.#each((at) => {
        const device = words[at + ATTACHED_DEVICE];
        const pasid = words[at + ATTACHED_PASID];
        const attachment = { device, pasid, domain: words[at + ATTACHED_DOMAIN], flags: words[at + ATTACHED_FLAGS] };
        if (device !== 0 && pick(attachment)) found.push(attachment);
      });
      return found;
    });
  }

  #each(look: (at: number) => void): void {
    const high = this.#words[this.#base + ATTACHED_HIGH];
    for (let row = 0; row < high; row++) look(this.#at(row));
  }

  #find(device: number, pasid: number, domain: number): number {
    const words = this.#words;
    let found = 0;
    this.#each((at) => {
      const same = words[at + ATTACHED_PASID] === pasid && words[at + ATTACHED_DOMAIN] === domain;
      if (same && words[at + ATTACHED_DEVICE] === device) found = at;
    });
    return found;
  }

  #freeRow(): number {
    const words = this.#words;
    const high = words[this.#base + ATTACHED_HIGH];
    for (let row = 0; row < high; row++) if (words[this.#at(row) + ATTACHED_DEVICE] === 0) return this.#at(row);
    if (high === words[this.#base + ATTACHED_ROWS])
      throw new IommuError('ENOMEM', 'attach', 'attachments', high, 'all are in use');
    words[this.#base + ATTACHED_HIGH] = high + 1;
    return this.#at(high);
  }

  #at(row: number): number {
    return this.#base + ATTACHED_FIRST + row * ATTACHED_WORDS;
  }

  #locked<T>(body: () => T): T {
    mutexLock(this.#words, this.#base + ATTACHED_LOCK, this.#self);
    try {
      return body();
    } finally {
      mutexUnlock(this.#words, this.#base + ATTACHED_LOCK, this.#self);
    }
  }
}

export function isCurrent({ flags }: Attachment): boolean {
  return (flags & ATTACHED_CURRENT) !== 0;
}
