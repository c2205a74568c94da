// Threads of smmu.threads.test.ts: two that map and unmap, one that replaces the device's domain and speaks for the guest. The SMMU, its interrupt
// and its device are on the main thread.
import { parentPort, workerData } from 'node:worker_threads';
import { Iommufd, VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 } from '@faultline/iommufd';
import type { SharedLab } from '@faultline/iommufd/testing';
import { type Opened, openThread } from './open-thread.test-help.ts';
import type { SmmuUnitConfig } from './region.ts';

/** Words of the region that the threads share: the page that each mapper has mapped, accesses so far, stop. */
export const SHARED = { name: 'shared', words: 96, page: 0, accesses: 32, stop: 64 } as const;
export const PAGES = 4;

export interface ThreadTask {
  readonly role: 'mapper' | 'attacher';
  /** From 2; the main thread is 1. */
  readonly thread: number;
  readonly shared: SharedLab;
  readonly unit: SmmuUnitConfig;
  readonly fd: number;
  readonly ids: {
    readonly devId: number;
    readonly ioasId: number;
    readonly viommuId: number;
    readonly hwpts: readonly number[];
  };
  readonly vsid: number;
  /** The mapper's memory, and where it maps it. */
  readonly userVa: bigint;
  readonly iova: bigint;
  readonly rounds: number;
}

export interface ThreadReport {
  /** Of a mapper: accesses that reached its memory; after an unmap had returned. */
  readonly reached: number;
  readonly late: number;
}

function mapAndUnmap(
  { thread, ids, userVa, iova, rounds }: ThreadTask,
  { lab }: Opened,
  iommufd: Iommufd,
): ThreadReport {
  const { words } = lab.arena;
  const shared = lab.arena.base(SHARED.name);
  const memory = lab.processes[0];
  const first = new Uint8Array(4);
  const count = (): number => {
    let sum = 0;
    for (let page = 0; page < PAGES; page++) {
      memory.read(userVa + BigInt(page * 4096), first);
      sum += new DataView(first.buffer).getInt32(0, true);
    }
    return sum;
  };
  const untilAccesses = (more: number): void => {
    const from = Atomics.load(words, shared + SHARED.accesses);
    for (let look = 0; look < 8 && ((Atomics.load(words, shared + SHARED.accesses) - from) | 0) < more; look++)
      Atomics.wait(words, shared + SHARED.stop, 0, 1); // let others run
  };
  let late = 0;
  for (let round = 0; round < rounds; round++) {
    const length = BigInt(PAGES * 4096);
    iommufd.ioasMap({ ioasId: ids.ioasId, userVa, length, iova });
    Atomics.store(words, shared + SHARED.page + thread, Number(iova >> 12n));
    untilAccesses(8);
    iommufd.ioasUnmap({ ioasId: ids.ioasId, iova, length });
    const before = count();
    untilAccesses(8);
    late += count() - before;
  }
  return { reached: count(), late };
}

function replaceAndInvalidate({ ids, vsid, rounds }: ThreadTask, iommufd: Iommufd): ThreadReport {
  // TLBI_NSNH_ALL; CFGI_CD_ALL and CFGI_CD of its stream.
  const commands = [0x30n, 0n, 0x06n | (BigInt(vsid) << 32n), 0n, 0x05n | (BigInt(vsid) << 32n), 1n];
  const entries = new Uint8Array(BigUint64Array.from(commands).buffer);
  const call = { hwptId: ids.viommuId, dataType: VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, entryBytes: 16, entries };
  for (let round = 0; round < rounds; round++) {
    iommufd.replace(ids.devId, ids.hwpts[round % ids.hwpts.length]);
    const { handled, refusal } = iommufd.hwptInvalidate(call);
    if (handled !== 3) throw refusal ?? new Error(`${handled} of 3`);
  }
  return { reached: 0, late: 0 };
}

if (parentPort !== null) {
  const task = workerData as ThreadTask;
  const opened = openThread(task.shared, task.unit, task.thread);
  const iommufd = new Iommufd(opened.lab.machine, opened.lab.caller(1), task.fd);
  const report = task.role === 'mapper' ? mapAndUnmap(task, opened, iommufd) : replaceAndInvalidate(task, iommufd);
  opened.driver.domains.settle();
  parentPort.postMessage(report);
}
