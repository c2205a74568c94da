// Maps, unmaps, copies, pins, attaches and sweeps in a context that other threads use as well. What it changed is counted.
import { parentPort, workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import { COMMANDS, type Command, Context, callCommand } from '../context/index.ts';
import { attachDevice, detachDevice, replaceDevice } from '../device/index.ts';
import type { SharedLab } from '../testing/lab.ts';
import { openMockLab } from '../testing/mock-lab.ts';
import {
  type Args,
  DESTROY,
  HWPT_ALLOC,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_GET_DIRTY_BITMAP,
  HWPT_SET_DIRTY_TRACKING,
  IOAS_COPY,
  IOAS_MAP,
  OBJ_IOAS,
  type Struct,
} from '../uapi/index.ts';
import { pinRange, unpinRange } from './index.ts';
import { unmapRange } from './unmap.ts';
import { withIoas } from './with-ioas.ts';

export interface IoasTask {
  readonly shared: SharedLab;
  readonly id: number;
  readonly context: number;
  readonly ioases: readonly number[];
  readonly devId: number;
  readonly memory: bigint;
  readonly bitmap: bigint;
  readonly slots: number;
  readonly rounds: number;
}

const { shared, id, context: number, ioases, devId, memory, bitmap, slots, rounds } = workerData as IoasTask;
const PAGE = 4096n;
const BASE = 1n << 24n;
/** What two threads that meet may be told. */
const MET = ['EEXIST', 'ENOENT', 'EBUSY', 'EINVAL', 'EDEADLK'];
/** Who is called by iommufd itself refuses nothing: what is unmapped was mapped, and what is mapped was not. */
const OURS = ['MockDriver.unmap', 'PageMap.add', 'PhysicalMemory', 'RecordPool.free', 'uncharge'];
const lab = openMockLab(shared, { id, spins: 0 });
const context = new Context(lab.machine, number);
const caller = lab.caller(1);
const counts = { mapped: 0, unmapped: 0, pinned: 0, attached: 0, swept: 0, refused: 0 };
let state = id * 7919;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) % below;
};
const slot = (): bigint => BASE + BigInt(random(slots)) * PAGE;
const ioas = (): number => ioases[random(ioases.length)];
let isAttached = false;
let hwptId = 0;

function call<S extends Struct>(struct: S, args: Partial<Args<S>>): Args<S> {
  const command = COMMANDS.find((each) => each.struct === (struct as Struct)) as Command<S>;
  return callCommand(context, caller, command, args);
}

const STEPS: readonly (() => void)[] = [
  () => {
    const userVa = memory + BigInt(random(8)) * PAGE;
    call(IOAS_MAP, { ioasId: ioas(), flags: 7, userVa, length: PAGE, iova: slot() });
    counts.mapped++;
  },
  () => {
    call(IOAS_COPY, { srcIoasId: ioas(), dstIoasId: ioas(), flags: 7, srcIova: slot(), dstIova: slot(), length: PAGE });
    counts.mapped++;
  },
  () => {
    // Not by the command, which does not tell what went before another thread's mapping was met in the same place.
    const iova = slot();
    withIoas(context, 'unmap', 'id', ioas(), (tables) =>
      unmapRange(tables, 'unmap', iova, iova + PAGE - 1n, () => counts.unmapped++),
    );
  },
  () => {
    const object = context.objects.get('pin', 'id', ioas(), OBJ_IOAS);
    try {
      const iova = slot();
      pinRange(context, object, 'pin', iova, PAGE, true);
      counts.pinned++;
      unpinRange(context, object, iova, PAGE);
    } finally {
      context.objects.put(object);
    }
  },
  () => {
    if (isAttached && random(2) === 0) {
      detachDevice(context, devId);
      isAttached = false;
    } else if (isAttached) replaceDevice(context, devId, { ptId: ioas() });
    else {
      attachDevice(context, devId, { ptId: ioas() });
      isAttached = true;
      counts.attached++;
    }
  },
  () => {
    if (hwptId !== 0) {
      call(DESTROY, { id: hwptId });
      hwptId = 0;
    } else hwptId = call(HWPT_ALLOC, { devId, ptId: ioas(), flags: HWPT_ALLOC_DIRTY_TRACKING }).outHwptId;
  },
  () => {
    if (hwptId === 0) return;
    call(HWPT_SET_DIRTY_TRACKING, { hwptId, flags: 1 });
    const range = { iova: BASE, length: BigInt(slots) * PAGE, pageSize: PAGE };
    call(HWPT_GET_DIRTY_BITMAP, { hwptId, ...range, data: bitmap });
    counts.swept++;
  },
];
const WEIGHTS = [0, 0, 0, 1, 2, 2, 2, 3, 4, 5, 6];

for (let round = 0; round < rounds; round++) {
  try {
    STEPS[WEIGHTS[random(WEIGHTS.length)]]();
  } catch (error) {
    if (!(error instanceof IommuError) || !MET.includes(error.code) || OURS.includes(error.call)) throw error;
    counts.refused++;
  }
}
if (hwptId !== 0) call(DESTROY, { id: hwptId });
if (isAttached) detachDevice(context, devId);
lab.machine.synchronize();
parentPort?.postMessage(counts);
