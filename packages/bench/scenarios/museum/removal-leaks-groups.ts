// From 6.9 to 6.13 removal answered the groups that were pending, and freed none of them: one whose handler had gone was lost, and
// with it the reference that it held on the fault_param.
import type { Scenario } from '@faultline/bench/explore';
import { detachDomain, RESPONSE_INVALID } from '@faultline/core/iopf';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { DEVICE, DEVICE_WORDS, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed } from './kernel.ts';

/** Whether the hardware refuses page requests itself: guarded by EVENT_LOCK. */
const STOPPED = DEVICE_WORDS;

export const removalLeaksGroups: Scenario = exhibit(import.meta.url, {
  name: 'removal-leaks-groups',
  about: 'A device is removed while a group waits for a handler that has gone: is everything freed?',
  fix: {
    commit: '9759ae2cee7c',
    title: 'iommu: Fix potential memory leak in iopf_queue_remove_device()',
    shipped: '6.9 to 6.13',
    fixed: '6.14',
  },
  releases: ['6.13', '6.14'],
  copy: {
    shared: { ...DEVICE, STOPPED },
    objects: { fault_param: PARAM },
    setup: (kernel) => {
      new Iopf(kernel).addDevice();
    },
    threads: {
      event(kernel) {
        const { words, self } = kernel;
        const iopf = new Iopf(kernel);
        mutexLock(words, kernel.shared(DEVICE.EVENT_LOCK), self);
        if (words[kernel.shared(STOPPED)] !== 0) kernel.answer(1);
        else iopf.newGroup(iopf.getParam(), 1); // whoever read the handler's queue is gone
        mutexUnlock(words, kernel.shared(DEVICE.EVENT_LOCK), self);
      },
      driver(kernel, faulty) {
        const { words, self } = kernel;
        mutexLock(words, kernel.shared(DEVICE.EVENT_LOCK), self);
        words[kernel.shared(STOPPED)] = 1;
        mutexUnlock(words, kernel.shared(DEVICE.EVENT_LOCK), self);
        new Iopf(kernel).removeDevice(!faulty);
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 0);
    },
  },
  // Ours voids what is pending, and leaves it to its holder: here to who takes back what no reader came for.
  ours: {
    system: new FaultSystem(),
    setup: (first) => {
      first.attach(1);
    },
    threads: {
      event(thread) {
        thread.path.endBatch(); // the batch before
        thread.report({ grpid: 1 });
        thread.leave();
      },
      driver(thread) {
        const { system, path } = thread;
        detachDomain(system, 1, 0);
        system.rcu.synchronize(system.self);
        path.removeDevice(1);
        for (let group = thread.take(); group !== 0; group = thread.take()) thread.finish(group, RESPONSE_INVALID);
        thread.leave();
      },
    },
  },
});
