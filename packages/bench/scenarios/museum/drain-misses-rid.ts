// In 6.13 VT-d reported faults of requests without a PASID too, but its drain still looked for those of one PASID only: detaching
// a device's own domain drained nothing, and the event thread went on with an attach handle that was freed.
import type { Scenario } from '@faultline/bench/explore';
import { detachDomain, freeDomain } from '@faultline/core/iopf';
import { complete, mutexLock, mutexUnlock, reinitCompletion, waitForCompletion } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { FaultQueue, HANDLE, QUEUE_WORDS, queueFields } from './iommufd.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed, heapOffset, type Kernel } from './kernel.ts';

const QUEUE_AT = DEVICE_WORDS;
const FIRST = QUEUE_AT + QUEUE_WORDS;
/** The hardware's page request queue: one request, recorded before the detach. PRQ_PASSED is a completion: the event thread has
 * been through the queue. */
const PRQ = {
  PRQ_HEAD: FIRST,
  PRQ_TAIL: FIRST + 1,
  PRQ_HAS_PASID: FIRST + 2,
  PRQ_PASID: FIRST + 3,
  PRQ_PASSED: FIRST + 4,
  PRQ_WAITERS: FIRST + 5,
};
const NO_PASID = 0;

/** prq_event_thread(). */
function handleRequests(kernel: Kernel): void {
  const { words } = kernel;
  const tail = Atomics.load(words, kernel.shared(PRQ.PRQ_TAIL));
  for (let head = Atomics.load(words, kernel.shared(PRQ.PRQ_HEAD)); head !== tail; head++) report(kernel);
  Atomics.store(words, kernel.shared(PRQ.PRQ_HEAD), tail);
  complete(words, kernel.shared(PRQ.PRQ_PASSED));
}

function report(kernel: Kernel): void {
  const { words, self } = kernel;
  const iopf = new Iopf(kernel);
  mutexLock(words, kernel.shared(DEVICE.HANDLE_LOCK), self);
  const handle = words[kernel.shared(DEVICE.HANDLE)];
  mutexUnlock(words, kernel.shared(DEVICE.HANDLE_LOCK), self);
  if (handle === 0) {
    kernel.answer(1); // Invalid
    return;
  }
  const group = iopf.newGroup(iopf.getParam(), 1);
  words[group + GROUP.HANDLE] = handle;
  // The handler is found through the handle, which nothing of this report's keeps.
  if (words[handle + HANDLE.DEVICE_ID] !== 0) new FaultQueue(iopf, QUEUE_AT).deliver(group);
}

/** intel_iommu_drain_pasid_prq(): returns once none of these requests is left in the queue. */
function drain(kernel: Kernel, isMeant: () => boolean): void {
  const { words, self } = kernel;
  for (;;) {
    reinitCompletion(words, kernel.shared(PRQ.PRQ_PASSED));
    const tail = Atomics.load(words, kernel.shared(PRQ.PRQ_TAIL));
    if (Atomics.load(words, kernel.shared(PRQ.PRQ_HEAD)) === tail || !isMeant()) return;
    waitForCompletion(words, kernel.shared(PRQ.PRQ_PASSED), self, Number.POSITIVE_INFINITY);
  }
}

const system = new FaultSystem();

export const drainMissesRid: Scenario = exhibit(import.meta.url, {
  name: 'drain-misses-rid',
  about:
    'A domain is detached while a request without a PASID waits in the hardware queue: is it answered while its attach handle is there?',
  fix: {
    commit: 'add43c4fbc92',
    title: 'iommu/vt-d: Make intel_iommu_drain_pasid_prq() cover faults for RID',
    shipped: '6.13',
    fixed: '6.14',
  },
  releases: ['6.13', '6.14'],
  copy: {
    shared: { ...DEVICE, ...queueFields('queue', QUEUE_AT), ...PRQ },
    objects: { fault_param: PARAM, handle: HANDLE },
    setup(kernel) {
      new Iopf(kernel).addDevice();
      const handle = kernel.alloc();
      kernel.words[handle + HANDLE.DEVICE_ID] = 1;
      kernel.words[kernel.shared(DEVICE.HANDLE)] = handle;
      kernel.words[kernel.shared(PRQ.PRQ_TAIL)] = 1;
    },
    threads: {
      event: handleRequests,
      detach(kernel, faulty) {
        const { words, self } = kernel;
        const iopf = new Iopf(kernel);
        const hasPasid = words[kernel.shared(PRQ.PRQ_HAS_PASID)] !== 0;
        const samePasid = words[kernel.shared(PRQ.PRQ_PASID)] === NO_PASID;
        drain(kernel, () => (faulty ? hasPasid && samePasid : !hasPasid || samePasid));
        mutexLock(words, kernel.shared(DEVICE.HANDLE_LOCK), self);
        const handle = words[kernel.shared(DEVICE.HANDLE)];
        words[kernel.shared(DEVICE.HANDLE)] = 0;
        mutexUnlock(words, kernel.shared(DEVICE.HANDLE_LOCK), self);
        new FaultQueue(iopf, QUEUE_AT).autoResponse(handle, (group) => iopf.respond(group));
        kernel.free(handle);
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 1);
    },
    racy: [
      {
        region: 'heap',
        offsets: [heapOffset(1, PARAM.USERS)],
        why: 'refcountIncNotZero guesses the count: only its compare-exchange decides',
      },
    ],
  },
  // No drain is asked for: a grace period ends the reports that found the handle, and the domain's count their groups.
  ours: {
    system,
    setup: (first) => {
      first.attach(1);
    },
    threads: {
      event(thread) {
        thread.path.endBatch(); // the batch before
        thread.report({ grpid: 1 });
        thread.path.endBatch();
        thread.system.reader.quiescent();
        thread.handle();
        thread.leave();
      },
      detach(thread) {
        const { self, pending, rcu } = thread.system;
        detachDomain(thread.system, 1, 0);
        rcu.synchronize(self);
        thread.system.deferredHandles.poll();
        pending.waitZero(1, self, Number.POSITIVE_INFINITY);
        freeDomain(thread.system, 1);
        thread.leave();
      },
    },
  },
});
