// All that threads do with one context, in no order: address spaces, page tables, attachments, faults, reads, answers. What it changed is
// counted; what threads made for one another lies in shared words.
import { parentPort, workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import { attachDevice, detachDevice, replaceDevice } from '../device/index.ts';
import { FaultFile } from '../files/fault-file.ts';
import { unmapRange } from '../ioas/unmap.ts';
import { withIoas } from '../ioas/with-ioas.ts';
import type { SharedLab } from '../testing/lab.ts';
import { triggerMockFault } from '../testing/mock/index.ts';
import { openMockLab } from '../testing/mock-lab.ts';
import {
  type Args,
  DESTROY,
  HWPT_ALLOC,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
  IOAS_MAP,
  PAGE_RESPONSE,
  PGFAULT,
  type Struct,
} from '../uapi/index.ts';
import { COMMANDS, type Command, Context, callCommand } from './index.ts';

export interface MixedTask {
  readonly shared: SharedLab;
  readonly id: number;
  readonly context: number;
  readonly ioases: readonly number[];
  readonly faultId: number;
  /** Number of the fault queue. */
  readonly queue: number;
  readonly devices: number;
  readonly devIds: readonly number[];
  /** A page of the thread's own. */
  readonly page: bigint;
  /** HWPTs that stand, then cookies that are out: 0, or taken by whoever exchanges it. */
  readonly hwpts: Int32Array<SharedArrayBuffer>;
  readonly cookies: Int32Array<SharedArrayBuffer>;
  readonly rounds: number;
}

const task = workerData as MixedTask;
const PAGE = 4096n;
const BASE = 1n << 24n;
const SLOTS = 16;
const RECORDS = 8;
/** What threads that meet may be told. */
const MET = ['EEXIST', 'ENOENT', 'EBUSY', 'EINVAL'];
/** Who is called by iommufd itself refuses nothing. */
const OURS = ['MockDriver.unmap', 'PageMap.add', 'PhysicalMemory', 'RecordPool.free', 'uncharge'];
const lab = openMockLab(task.shared, { id: task.id, spins: 0 });
const context = new Context(lab.machine, task.context);
const caller = lab.caller(1);
const file = new FaultFile(lab.machine, task.queue);
const counts = {
  mapped: 0,
  made: 0,
  destroyed: 0,
  attached: 0,
  detached: 0,
  replaced: 0,
  read: 0,
  answered: 0,
  late: 0,
};
let reported = 0;
let state = task.id * 7919;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) % below;
};
const any = <T>(of: readonly T[]): T => of[random(of.length)];
const anyHwpt = (): number => Atomics.load(task.hwpts, random(task.hwpts.length));

function call<S extends Struct>(struct: S, args: Partial<Args<S>>): Args<S> {
  const command = COMMANDS.find((each) => each.struct === (struct as Struct)) as Command<S>;
  return callCommand(context, caller, command, args);
}

/** Puts a value in a place that is free. @returns false: none is. */
function leave(places: Int32Array, value: number): boolean {
  for (let at = 0; at < places.length; at++) if (Atomics.compareExchange(places, at, 0, value) === 0) return true;
  return false;
}

const STEPS: readonly (() => void)[] = [
  function map() {
    const iova = BASE + BigInt(random(SLOTS)) * PAGE;
    call(IOAS_MAP, { ioasId: any(task.ioases), flags: 7, userVa: task.page, length: PAGE, iova });
    counts.mapped++;
  },
  function unmap() {
    // Not by the command, which does not tell what went before another thread's mapping was met in the same place.
    const iova = BASE + BigInt(random(SLOTS)) * PAGE;
    withIoas(context, 'unmap', 'id', any(task.ioases), (tables) =>
      unmapRange(tables, 'unmap', iova, iova + PAGE - 1n, () => counts.mapped--),
    );
  },
  function make() {
    const flags = HWPT_FAULT_ID_VALID | HWPT_ALLOC_PASID;
    const args = { devId: any(task.devIds), ptId: any(task.ioases), flags, faultId: task.faultId };
    const { outHwptId: id } = call(HWPT_ALLOC, args);
    counts.made++;
    if (leave(task.hwpts, id)) return;
    call(DESTROY, { id });
    counts.destroyed++;
  },
  function destroy() {
    const at = random(task.hwpts.length);
    const id = Atomics.load(task.hwpts, at);
    call(DESTROY, { id }); // EBUSY while it is attached, ENOENT where another thread was faster
    counts.destroyed++;
    Atomics.compareExchange(task.hwpts, at, id, 0);
  },
  function attach() {
    attachDevice(context, any(task.devIds), { ptId: random(4) === 0 ? any(task.ioases) : anyHwpt(), pasid: random(2) });
    counts.attached++;
  },
  function replace() {
    replaceDevice(context, any(task.devIds), {
      ptId: random(4) === 0 ? any(task.ioases) : anyHwpt(),
      pasid: random(2),
    });
    counts.replaced++;
  },
  function detach() {
    detachDevice(context, any(task.devIds), random(2));
    counts.detached++;
  },
  function fault() {
    const grpid = task.id * 2 ** 20 + ++reported;
    triggerMockFault(lab.machine, { device: 1 + random(task.devices), pasid: random(2), grpid, perm: 1, page: 16 });
  },
  function read() {
    const bytes = file.read(caller.memory, task.page, (1 + random(RECORDS)) * PGFAULT.bytes);
    const records = new Int32Array(bytes / 4);
    caller.memory.read(task.page, new Uint8Array(records.buffer));
    for (let at = 0; at < records.length; at += PGFAULT.bytes / 4) {
      counts.read++;
      const cookie = records[at + PGFAULT.cookie / 4];
      if (!leave(task.cookies, cookie)) answer(cookie);
    }
  },
  function respond() {
    const cookie = Atomics.exchange(task.cookies, random(task.cookies.length), 0);
    if (cookie !== 0) answer(cookie);
  },
];
const WEIGHTS = [0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 7, 7, 7, 8, 8, 9, 9, 9, 9, 9, 9];

/** Its group may have been answered for us: then the cookie names nothing. */
function answer(cookie: number): void {
  caller.memory.write(task.page, new Uint8Array(Int32Array.of(cookie, random(2)).buffer));
  try {
    file.write(caller.memory, task.page, PAGE_RESPONSE.bytes);
    counts.answered++;
  } catch (error) {
    if (!(error instanceof IommuError) || error.field !== 'cookie') throw error;
    counts.late++;
  }
}

for (let round = 0; round < task.rounds; round++) {
  try {
    STEPS[any(WEIGHTS)]();
  } catch (error) {
    if (!(error instanceof IommuError) || !MET.includes(error.code) || OURS.includes(error.call)) throw error;
  }
}
lab.machine.synchronize();
lab.machine.close();
parentPort?.postMessage({ counts, reported, answers: lab.answers.map(({ grpid }) => grpid) });
