// An IOAS from inside: its record, its locks, its areas.
import { readLock, readUnlock, writeLock, writeUnlock } from '@faultline/core/sync';
import type { Context } from '../context/context.ts';
import { IOAS_BODY } from '../objects/index.ts';
import { AreaTree } from './area-tree.ts';
import { IOAS_DOMAIN, IOAS_DOMAINS, IOAS_FILLED, IOAS_IOVA, IOAS_LIST, IOAS_LIST_LOCK, SLOT_WORDS } from './layout.ts';

/** One thread's view of an IOAS, for one call. */
export class Ioas {
  readonly context: Context;
  /** Word offset of its record. */
  readonly at: number;
  readonly areas: AreaTree;

  /** @param object held by the caller. */
  constructor(context: Context, object: number) {
    const { machine, objects, words } = context;
    this.context = context;
    this.at = machine.pools.ioas.at(words[objects.at(object) + IOAS_BODY]);
    this.areas = new AreaTree(words, machine.pools.areas, this.at);
  }

  readDomains<T>(body: () => T): T {
    return this.#reading(this.at + IOAS_DOMAINS, body);
  }
  writeDomains<T>(body: () => T): T {
    return this.#writing(this.at + IOAS_DOMAINS, body);
  }
  readAreas<T>(body: () => T): T {
    return this.#reading(this.at + IOAS_IOVA, body);
  }
  writeAreas<T>(body: () => T): T {
    return this.#writing(this.at + IOAS_IOVA, body);
  }

  /** The domains that it fills, oldest first. Context: the domains lock. */
  domains(): number[] {
    const { words } = this.context;
    const filled = words[this.at + IOAS_FILLED];
    const domains: number[] = [];
    for (let i = 0; i < filled; i++) domains.push(words[this.at + IOAS_DOMAIN + SLOT_WORDS * i]);
    return domains;
  }

  #reading<T>(lockAt: number, body: () => T): T {
    const { words, machine } = this.context;
    readLock(words, lockAt, machine.self);
    try {
      return body();
    } finally {
      readUnlock(words, lockAt);
    }
  }

  #writing<T>(lockAt: number, body: () => T): T {
    const { words, machine } = this.context;
    writeLock(words, lockAt, machine.self);
    try {
      return body();
    } finally {
      writeUnlock(words, lockAt, machine.self);
    }
  }
}

/** Where an IOAS keeps its list of HWPTs, and the list's lock. */
export function hwptList({ machine, objects, words }: Context, ioas: number): { lockAt: number; headAt: number } {
  const at = machine.pools.ioas.at(words[objects.at(ioas) + IOAS_BODY]);
  return { lockAt: at + IOAS_LIST_LOCK, headAt: at + IOAS_LIST };
}
