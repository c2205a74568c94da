// Until 6.8 the answer took the fault lock of a parameter that it had found without a lock, and removal looked at the
// parameter's list without that lock: once the last fault was off the list, the lock could be freed while it was held.
import type { Scenario } from '@faultline/bench/explore';
import { RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { refcountGet } from '@faultline/core/sync';
import { FaultSystem, SHARED } from '../kit/fault-system.ts';
import { pageResponse, unregisterHandler } from './before.ts';
import { exhibit } from './exhibit.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed } from './kernel.ts';

/** The group that a worker has in hand. */
const WORK = DEVICE_WORDS;

export const responseRacesRemoval: Scenario = exhibit(import.meta.url, {
  name: 'response-races-removal',
  about: 'A worker answers the last fault of a device that is being removed: does the fault_param outlive its use?',
  fix: {
    commit: 'a74c077b9021',
    title: 'iommu: Use refcount for fault data access',
    shipped: '6.8 and before',
    fixed: '6.9',
  },
  releases: ['6.8', '6.9'],
  copy: {
    shared: { ...DEVICE, WORK },
    objects: { fault_param: PARAM, group: GROUP },
    setup(kernel, faulty) {
      const iopf = new Iopf(kernel);
      const param = iopf.addDevice();
      if (!faulty) refcountGet(kernel.words, param + PARAM.USERS); // the group's
      kernel.words[kernel.shared(WORK)] = iopf.newGroup(param, 1);
    },
    threads: {
      worker(kernel, faulty) {
        if (faulty) return pageResponse(kernel);
        const iopf = new Iopf(kernel);
        const group = kernel.words[kernel.shared(WORK)];
        iopf.respond(group);
        iopf.freeGroup(group);
      },
      driver(kernel, faulty) {
        if (faulty) unregisterHandler(kernel);
        else new Iopf(kernel).removeDevice(false);
      },
    },
    check(context) {
      expectAnswered(context, 1);
      const refused = Atomics.load(context.words, context.at('shared') + DEVICE.FAULT_PARAM) !== 0;
      expectFreed(context, refused ? 1 : 0);
    },
  },
  // A group's reference keeps the fault_param; whoever puts the last one frees it, a grace period later.
  ours: {
    system: new FaultSystem({ paths: { 'faultline lockless': SHARED } }),
    setup(first) {
      first.attach(1);
      first.report({ grpid: 1 });
    },
    threads: {
      worker(thread) {
        thread.finish(thread.take(), RESPONSE_SUCCESS);
        thread.system.reader.offline();
      },
      driver(thread) {
        thread.path.removeDevice(1);
        thread.leave();
      },
    },
  },
});
