// From 6.11 to 7.1 iommufd queued a group for its reader, and left it on the device's list of pending groups as well: removal
// answered and freed it under the feet of the reader, or of who answers for readers at detach.
import type { Scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { mutexLock, mutexUnlock, refcountGet } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { FaultQueue, HANDLE, queueFields } from './iommufd.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed } from './kernel.ts';

const QUEUE_AT = DEVICE_WORDS;

/** iopf_group_response(): up to 7.1 it answers what is on the list; since then whatever its owner gives it. */
function respondOf(iopf: Iopf, faulty: boolean): (group: number) => void {
  if (faulty) return (group) => iopf.respond(group);
  const { words, self } = iopf.kernel;
  return (group) => {
    const lock = words[group + GROUP.FAULT_PARAM] + PARAM.LOCK;
    mutexLock(words, lock, self);
    iopf.kernel.answer(words[group + GROUP.ID]);
    mutexUnlock(words, lock, self);
  };
}

export const groupOwnedTwice: Scenario = exhibit(import.meta.url, {
  name: 'group-owned-twice',
  about: 'A device is detached while user space reads a fault of it: who frees the group?',
  fix: {
    commit: '738e6f32e61d',
    title: 'iommu/iommufd: Fix IOPF group ownership UAF',
    cve: 'CVE-2026-74520',
    shipped: '6.11 to 7.1',
    fixed: '7.2, 7.1.8 and 6.18.44',
  },
  releases: ['7.1', '7.2'],
  copy: {
    shared: { ...DEVICE, ...queueFields('queue', QUEUE_AT) },
    objects: { fault_param: PARAM, handle: HANDLE, group: GROUP },
    setup(kernel, faulty) {
      const { words } = kernel;
      const iopf = new Iopf(kernel);
      const param = iopf.addDevice();
      const handle = kernel.alloc();
      words[handle + HANDLE.DEVICE_ID] = 1;
      words[kernel.shared(DEVICE.HANDLE)] = handle;
      refcountGet(words, param + PARAM.USERS);
      const group = iopf.newGroup(param, 1);
      words[group + GROUP.HANDLE] = handle;
      if (!faulty) iopf.pending.remove(param + PARAM.PENDING, group); // iopf_group_dequeue()
      new FaultQueue(iopf, QUEUE_AT).deliver(group);
    },
    threads: {
      reader(kernel, faulty) {
        const iopf = new Iopf(kernel);
        const queue = new FaultQueue(iopf, QUEUE_AT);
        queue.write(queue.read(), respondOf(iopf, faulty));
      },
      detach(kernel, faulty) {
        const iopf = new Iopf(kernel);
        const handle = kernel.words[kernel.shared(DEVICE.HANDLE)];
        iopf.removeDevice(true);
        new FaultQueue(iopf, QUEUE_AT).autoResponse(handle, respondOf(iopf, faulty));
        kernel.free(handle);
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 0);
    },
  },
  // A group has one holder: removal answers it and leaves it void; whoever takes it from the ring frees it.
  ours: {
    system: new FaultSystem(),
    setup(first) {
      first.attach(1);
      first.report({ grpid: 1 });
    },
    threads: {
      reader(thread) {
        const group = thread.take();
        thread.system.reader.quiescent(); // user space has it
        if (group !== 0) thread.finish(group, RESPONSE_SUCCESS);
        thread.leave();
      },
      detach(thread) {
        thread.path.removeDevice(1);
        const group = thread.take();
        if (group !== 0) thread.finish(group, RESPONSE_INVALID);
        thread.leave();
      },
    },
  },
});
