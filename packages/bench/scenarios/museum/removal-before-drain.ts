// In 6.16 VT-d removed a device from its fault queue when the last domain that can fault was detached, and only then tore the
// PASID entry down, which drains: removal freed groups that a worker still had in hand.
import type { Scenario } from '@faultline/bench/explore';
import { RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { refcountGet } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed } from './kernel.ts';
import { WorkQueue, workQueueFields } from './work-queue.ts';

const WORK = DEVICE_WORDS;

export const removalBeforeDrain: Scenario = exhibit(import.meta.url, {
  name: 'removal-before-drain',
  about: 'A domain is detached while a worker handles a fault of it: is the group freed once, by who had it?',
  fix: {
    commit: 'f0b9d31c6edd',
    title: 'iommu/vt-d: Fix UAF on sva unbind with pending IOPFs',
    cve: 'CVE-2025-38594',
    shipped: '6.16',
    fixed: '6.17 and 6.16.1',
  },
  releases: ['6.16', '6.17'],
  copy: {
    shared: { ...DEVICE, ...workQueueFields(WORK) },
    objects: { fault_param: PARAM, group: GROUP },
    setup(kernel) {
      const iopf = new Iopf(kernel);
      const param = iopf.addDevice();
      refcountGet(kernel.words, param + PARAM.USERS); // the group's
      const work = new WorkQueue(kernel, WORK);
      work.queue(iopf.newGroup(param, 1));
      work.end();
    },
    threads: {
      worker(kernel) {
        const iopf = new Iopf(kernel);
        new WorkQueue(kernel, WORK).run((group) => {
          iopf.respond(group);
          iopf.freeGroup(group);
        });
      },
      driver(kernel, faulty) {
        const drain = (): void => new WorkQueue(kernel, WORK).flush();
        if (!faulty) drain();
        new Iopf(kernel).removeDevice(true);
        if (faulty) drain();
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 0);
    },
  },
  // Nothing is flushed: removal voids the group, and who has it frees it.
  ours: {
    system: new FaultSystem(),
    setup(first) {
      first.attach(1);
      first.report({ grpid: 1 });
    },
    threads: {
      worker(thread) {
        thread.finish(thread.take(), RESPONSE_SUCCESS);
        thread.leave();
      },
      driver(thread) {
        thread.path.removeDevice(1);
        thread.leave();
      },
    },
  },
});
