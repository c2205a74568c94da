// IOAS_CHANGE_PROCESS: what is pinned for another process is charged to the caller from here on: after a VMM has handed its descriptors on.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock, writeLock, writeUnlock } from '@faultline/core/sync';
import { ACCOUNT_NONE, type Account, type Caller } from '../caller/index.ts';
import type { Command, Context } from '../context/index.ts';
import { CONTEXT_CHANGE_LOCK } from '../machine/layout.ts';
import { IOAS_CHANGE_PROCESS, OBJ_IOAS } from '../uapi/index.ts';
import { AREA_PAGES, IOAS_IOVA, PAGES_ACCOUNT, PAGES_CHARGED, PAGES_LOCK, PAGES_MM, PAGES_PINNED } from './layout.ts';
import { Ioas } from './tables.ts';

const CALL = 'IOAS_CHANGE_PROCESS';

/** Only files can move: memory of a process stays that process's. @throws IommuError EINVAL something is mapped that is not of a file; ENOMEM the
 * caller's limit on locked memory: nothing has changed then. @see Linux drivers/iommu/iommufd/ioas.c iommufd_ioas_change_process() */
export const ioasChangeProcess: Command<typeof IOAS_CHANGE_PROCESS> = {
  struct: IOAS_CHANGE_PROCESS,
  run(context, { caller }) {
    const { objects, words, machine } = context;
    // One at a time: it is the only call that has the areas of several IOASes, and several pages, locked at once.
    mutexLock(words, context.at + CONTEXT_CHANGE_LOCK, machine.self);
    const held = objects.ofType(OBJ_IOAS);
    try {
      if (machine.fail.fails('ioas list')) throw new IommuError('ENOMEM', CALL, 'ioas', held.length, 'made to fail');
      withAllAreas(
        held.map((object) => new Ioas(context, object)),
        (all) => change(context, caller, all),
      );
    } finally {
      for (const object of held) objects.put(object);
      mutexUnlock(words, context.at + CONTEXT_CHANGE_LOCK, machine.self);
    }
  },
};

/** Runs `body` with the areas of all of them locked for writing: nothing is mapped or unmapped in them meanwhile. */
function withAllAreas(all: readonly Ioas[], body: (all: readonly Ioas[]) => void): void {
  const locked: Ioas[] = [];
  try {
    for (const ioas of all) {
      writeLock(ioas.context.words, ioas.at + IOAS_IOVA, ioas.context.machine.self);
      locked.push(ioas);
    }
    body(all);
  } finally {
    for (const ioas of locked.reverse())
      writeUnlock(ioas.context.words, ioas.at + IOAS_IOVA, ioas.context.machine.self);
  }
}

function change(context: Context, caller: Caller, all: readonly Ioas[]): void {
  const { machine, words } = context;
  const distinct = pagesOf(context, all).map((pages) => machine.pools.pages.at(pages));
  for (const at of distinct) mutexLock(words, at + PAGES_LOCK, machine.self);
  try {
    const moving = distinct.filter(
      (at) => words[at + PAGES_ACCOUNT] !== ACCOUNT_NONE && words[at + PAGES_CHARGED] !== caller.mm,
    );
    const charged: number[] = [];
    for (const at of moving) {
      if (caller.memory.charge(words[at + PAGES_PINNED], words[at + PAGES_ACCOUNT] as Account)) charged.push(at);
      else {
        for (const back of charged)
          caller.memory.uncharge(words[back + PAGES_PINNED], words[back + PAGES_ACCOUNT] as Account);
        throw new IommuError('ENOMEM', CALL, 'pages', words[at + PAGES_PINNED], 'beyond the limit on locked memory');
      }
    }
    for (const at of moving) {
      machine
        .memoryOf(words[at + PAGES_CHARGED])
        .uncharge(words[at + PAGES_PINNED], words[at + PAGES_ACCOUNT] as Account);
      words[at + PAGES_CHARGED] = caller.mm;
    }
  } finally {
    for (const at of distinct) mutexUnlock(words, at + PAGES_LOCK, machine.self);
  }
}

/** What is mapped, each once however many areas share it. @throws IommuError EINVAL */
function pagesOf({ machine, words }: Context, all: readonly Ioas[]): number[] {
  const found = new Set<number>();
  for (const { areas } of all) {
    for (let area = areas.first(); area !== 0; area = areas.next(area)) {
      const pages = words[machine.pools.areas.at(area) + AREA_PAGES];
      if (pages === 0) continue; // being mapped or unmapped
      if (words[machine.pools.pages.at(pages) + PAGES_MM] !== 0)
        throw new IommuError('EINVAL', CALL, 'iova', areas.start(area), 'maps memory that is not of a file');
      found.add(pages);
    }
  }
  return [...found];
}
