// Which domain each device has, and each of its PASIDs: what an invalidation of a domain must reach.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import {
  ATTACHED_DEVICE,
  ATTACHED_DOMAIN,
  ATTACHED_FIRST,
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

  /** Enters a domain, in place of the one that the PASID had. @throws IommuError ENOMEM every row is in use: nothing is changed. */
  set(device: number, pasid: number, domain: number): void {
    this.#locked(() => {
      const words = this.#words;
      const at = this.#find(device, pasid) || this.#freeRow();
      words[at + ATTACHED_DEVICE] = device;
      words[at + ATTACHED_PASID] = pasid;
      words[at + ATTACHED_DOMAIN] = domain;
    });
  }

  /** @returns 0: none. */
  domainOf(device: number, pasid: number): number {
    return this.#locked(() => {
      const at = this.#find(device, pasid);
      return at === 0 ? 0 : this.#words[at + ATTACHED_DOMAIN];
    });
  }

  delete(device: number, pasid: number): void {
    this.#locked(() => {
      const at = this.#find(device, pasid);
      if (at !== 0) this.#words[at + ATTACHED_DEVICE] = 0;
    });
  }

  /** All that `pick` wants, in no order. It takes no lock. */
  list(pick: (attachment: Attachment) => boolean): Attachment[] {
    return this.#locked(() => {
      const words = this.#words;
      const found: Attachment[] = [];
      for (let row = 0; row < words[this.#base + ATTACHED_HIGH]; row++) {
        const at = this.#at(row);
        const device = words[at + ATTACHED_DEVICE];
        if (device === 0) continue;
        const attachment = { device, pasid: words[at + ATTACHED_PASID], domain: words[at + ATTACHED_DOMAIN] };
        if (pick(attachment)) found.push(attachment);
      }
      return found;
    });
  }

  #find(device: number, pasid: number): number {
    const words = this.#words;
    for (let row = 0; row < words[this.#base + ATTACHED_HIGH]; row++) {
      const at = this.#at(row);
      if (words[at + ATTACHED_DEVICE] === device && words[at + ATTACHED_PASID] === pasid) return at;
    }
    return 0;
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
