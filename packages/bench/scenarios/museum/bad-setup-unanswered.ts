// In 6.9 and 6.10 a report returned nothing any more, as it was to answer the device itself in every case; but where the device
// had no fault_param (any more) it only warned, and the device waited for ever.
import type { Scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, replaceDomain } from '@faultline/core/iopf';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { DEVICE, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed } from './kernel.ts';

export const badSetupUnanswered: Scenario = exhibit(import.meta.url, {
  name: 'bad-setup-unanswered',
  about: 'A page request is still in the queue when the device is removed: is it answered?',
  fix: {
    commit: 'b58b133e680b',
    title: 'iommu: Handle iommu faults for a bad iopf setup',
    shipped: '6.9 and 6.10',
    fixed: '6.11',
  },
  releases: ['6.10', '6.11'],
  copy: {
    shared: DEVICE,
    objects: { fault_param: PARAM },
    setup: (kernel) => {
      new Iopf(kernel).addDevice();
    },
    threads: {
      event(kernel, faulty) {
        const iopf = new Iopf(kernel);
        mutexLock(kernel.words, kernel.shared(DEVICE.EVENT_LOCK), kernel.self);
        const param = iopf.getParam();
        if (param !== 0) {
          const group = iopf.newGroup(param, 1);
          iopf.respond(group); // a handler that has nothing to wait for
          iopf.freeGroup(group);
        } else if (!faulty) kernel.answer(1); // Invalid
        mutexUnlock(kernel.words, kernel.shared(DEVICE.EVENT_LOCK), kernel.self);
      },
      driver(kernel) {
        mutexLock(kernel.words, kernel.shared(DEVICE.EVENT_LOCK), kernel.self);
        new Iopf(kernel).removeDevice(false);
        mutexUnlock(kernel.words, kernel.shared(DEVICE.EVENT_LOCK), kernel.self);
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 0);
    },
  },
  ours: {
    system: new FaultSystem(),
    setup(first) {
      first.attach(1);
      first.newBlockedDomain();
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
        replaceDomain(system, 1, 0, 2);
        system.rcu.synchronize(system.self);
        path.respondPending(1, RESPONSE_INVALID);
        path.removeDevice(1);
        thread.leave();
      },
    },
  },
});
