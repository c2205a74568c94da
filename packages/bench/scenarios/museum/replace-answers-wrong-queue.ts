// From 6.15 to 7.1 replacing a page table looked for the old one's groups in the new one's fault queue: they stayed in their own,
// and kept an attach handle that the replacement freed.
import type { Scenario } from '@faultline/bench/explore';
import { GROUP_PENDING, GROUP_STATE, groupStateOf, RESPONSE_SUCCESS, replaceDomain } from '@faultline/core/iopf';
import { refcountGet } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { FaultQueue, HANDLE, QUEUE_WORDS, queueFields } from './iommufd.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed } from './kernel.ts';

const OLD = DEVICE_WORDS;
const NEW = OLD + QUEUE_WORDS;

export const replaceAnswersWrongQueue: Scenario = exhibit(import.meta.url, {
  name: 'replace-answers-wrong-queue',
  about:
    'A page table is replaced while user space reads a fault of the old one: is the group answered before its handle goes?',
  fix: {
    commit: 'ba5c0f28a26e',
    title: 'iommufd: Fix wrong hwpt passed to iommufd_auto_response_faults on replace',
    shipped: '6.15 to 7.1',
    fixed: '7.2',
  },
  releases: ['7.1', '7.2'],
  copy: {
    shared: { ...DEVICE, ...queueFields('old', OLD), ...queueFields('new', NEW) },
    objects: { fault_param: PARAM, old_handle: HANDLE, new_handle: HANDLE, group: GROUP },
    setup(kernel) {
      const { words } = kernel;
      const iopf = new Iopf(kernel);
      const param = iopf.addDevice();
      const handle = kernel.alloc();
      words[handle + HANDLE.DEVICE_ID] = 1;
      words[kernel.shared(DEVICE.HANDLE)] = handle;
      words[kernel.alloc() + HANDLE.DEVICE_ID] = 1;
      refcountGet(words, param + PARAM.USERS);
      const group = iopf.newGroup(param, 1);
      words[group + GROUP.HANDLE] = handle;
      new FaultQueue(iopf, OLD).deliver(group);
    },
    threads: {
      reader(kernel) {
        const iopf = new Iopf(kernel);
        const queue = new FaultQueue(iopf, OLD);
        queue.write(queue.read(), (group) => iopf.respond(group));
      },
      replace(kernel, faulty) {
        const iopf = new Iopf(kernel);
        const handle = kernel.words[kernel.shared(DEVICE.HANDLE)]; // the driver has switched domains, and fenced
        new FaultQueue(iopf, faulty ? NEW : OLD).autoResponse(handle, (group) => iopf.respond(group));
        kernel.free(handle);
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectFreed(context, 2);
    },
  },
  // A group names its domain, not its handle; the light flush answers what the old domain has, wherever it waits.
  ours: {
    system: new FaultSystem(),
    setup(first) {
      first.attach(1);
      first.newDomain();
      first.report({ grpid: 1 });
    },
    threads: {
      reader(thread) {
        const group = thread.take();
        thread.system.reader.quiescent(); // user space has it
        thread.finish(group, RESPONSE_SUCCESS);
        thread.leave();
      },
      replace(thread) {
        const { system, path } = thread;
        replaceDomain(system, 1, 0, 2);
        system.rcu.synchronize(system.self);
        path.flushDomain(1, 1, RESPONSE_SUCCESS);
        for (let group = 1; group <= system.requests.capacity; group++) {
          const state = Atomics.load(system.words, system.requests.at(group) + GROUP_STATE);
          if (groupStateOf(state) === GROUP_PENDING)
            throw new Error(`group ${group} of the old domain is pending still`);
        }
        system.deferredHandles.poll();
        thread.leave();
      },
    },
  },
});
