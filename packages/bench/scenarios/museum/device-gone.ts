// From 6.1 to 6.8 VT-d's event thread found the device of a page request and then reported the fault for it, while nothing kept
// the device from being released in between.
import type { Scenario } from '@faultline/bench/explore';
import { detachDomain } from '@faultline/core/iopf';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { expectAnswered, expectFreed, type Kernel } from './kernel.ts';

const SHARED = {
  /** Where devices are looked up: one place. */
  TABLE: 0,
  /** Mutex: TABLE. */
  TABLE_LOCK: 1,
  /** Mutex of the repaired driver: held from the look-up to the end of the report, and by the release. */
  IOPF_LOCK: 2,
};
/** What the IOMMU layer keeps for a device: the report takes its lock first of all. */
const DEV_IOMMU = { LOCK: 0 };

function locked<T>({ words, self }: Kernel, at: number, body: () => T): T {
  mutexLock(words, at, self);
  const result = body();
  mutexUnlock(words, at, self);
  return result;
}

function handleRequest(kernel: Kernel): void {
  const { words } = kernel;
  const device = locked(kernel, kernel.shared(SHARED.TABLE_LOCK), () => words[kernel.shared(SHARED.TABLE)]);
  if (device === 0)
    kernel.answer(1); // Invalid: no such device
  else locked(kernel, device + DEV_IOMMU.LOCK, () => kernel.answer(1));
}

function releaseDevice(kernel: Kernel, withLock: (body: () => void) => void): void {
  const { words } = kernel;
  const table = kernel.shared(SHARED.TABLE);
  const device = words[table];
  withLock(() =>
    locked(kernel, kernel.shared(SHARED.TABLE_LOCK), () => {
      words[table] = 0;
    }),
  );
  kernel.free(device);
}

export const deviceGone: Scenario = exhibit(import.meta.url, {
  name: 'device-gone',
  about: 'A device is released while a page request of it is reported: does the report use a device that is gone?',
  fix: {
    commit: 'def054b01a86',
    title: 'iommu/vt-d: Use device rbtree in iopf reporting path',
    cve: 'CVE-2024-35843',
    shipped: '6.1 to 6.8',
    fixed: '6.9 and 6.8.2',
  },
  releases: ['6.8', '6.9'],
  copy: {
    shared: SHARED,
    objects: { dev_iommu: DEV_IOMMU },
    setup(kernel) {
      kernel.words[kernel.shared(SHARED.TABLE)] = kernel.alloc();
    },
    threads: {
      event(kernel, faulty) {
        if (faulty) handleRequest(kernel);
        else locked(kernel, kernel.shared(SHARED.IOPF_LOCK), () => handleRequest(kernel));
      },
      driver(kernel, faulty) {
        if (faulty) releaseDevice(kernel, (body) => body());
        else releaseDevice(kernel, (body) => locked(kernel, kernel.shared(SHARED.IOPF_LOCK), body));
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 0);
    },
  },
  // No lock: what a report found is freed after a grace period, which the report holds up.
  ours: {
    system: new FaultSystem(),
    setup: (first) => {
      first.attach(1);
    },
    threads: {
      event(thread) {
        thread.path.endBatch(); // the batch before
        thread.report({ grpid: 1 });
        thread.path.endBatch();
        thread.handle();
        thread.leave();
      },
      driver(thread) {
        const { system, path } = thread;
        detachDomain(system, 1, 0);
        system.rcu.synchronize(system.self);
        path.removeDevice(1);
        thread.leave();
      },
    },
  },
});
