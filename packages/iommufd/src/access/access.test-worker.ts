// One of three threads over the same access: one unmaps and maps again, one pins and lets go, one moves the access between two IOASes.
import { parentPort, workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import { Context, callCommand } from '../context/index.ts';
import { ioasMap, ioasUnmap } from '../ioas/map-commands.ts';
import { openMockLab } from '../testing/mock-lab.ts';
import { IOAS_MAP_FIXED_IOVA, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '../uapi/index.ts';
import { type AccessRace, ENDED } from './access-race.test-help.ts';
import { pinItem, replaceAccess, unpinItem } from './index.ts';

const { shared, context: number, access, ioas, userVa, id, role, rounds, signals } = workerData as AccessRace;
const PAGES = 4n;
const PAGE = BigInt(PAGE_BYTES);
const lab = openMockLab(shared, { id, spins: 50 });
const context = new Context(lab.machine, number);
const caller = lab.caller(1);
const FIXED = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE | IOAS_MAP_FIXED_IOVA;
const counts: Record<string, number> = { done: 0 };

/** What another thread may be the cause of is counted by its errno. */
function attempt(body: () => void): boolean {
  try {
    body();
    counts.done++;
    return true;
  } catch (error) {
    if (!(error instanceof IommuError)) throw error;
    counts[error.code] = (counts[error.code] ?? 0) + 1;
    return false;
  }
}

const roles: Record<AccessRace['role'], (round: number) => void> = {
  map(round) {
    const range = { ioasId: ioas[round % 2], iova: PAGE, length: PAGES * PAGE };
    attempt(() => callCommand(context, caller, ioasUnmap, range));
    attempt(() => callCommand(context, caller, ioasMap, { ...range, flags: FIXED, userVa }));
  },
  pin(round) {
    const range = { iova: PAGE * (1n + BigInt(round % 4)), length: PAGE };
    let item = -1;
    const isPinned = attempt(() => {
      item = pinItem(context, 'test', access, range, true, () => {});
    });
    if (isPinned) attempt(() => unpinItem(context, 'test', access, item));
  },
  move(round) {
    attempt(() => replaceAccess(context, 'test', access, ioas[round % 2]));
  },
};
// All go on until each has done as much as it was told to.
for (let round = 0, isLeft = true; Atomics.load(signals, ENDED) < 3; round++) {
  roles[role](round);
  if (isLeft && counts.done >= rounds) {
    isLeft = false;
    Atomics.add(signals, ENDED, 1);
  }
}
parentPort?.postMessage(counts);
