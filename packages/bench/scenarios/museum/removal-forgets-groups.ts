// Until 6.8 taking a device off its queue dropped what was set aside and nothing else: a group that its worker had in hand was
// answered whenever the worker came to it, though the device's PRI was off by then. (VT-d switched PRI off first, and took it
// for a mere warning when the fault handler could not be unregistered.)
import type { Scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { refcountGet } from '@faultline/core/sync';
import { answersTo } from '../kit/answers.ts';
import { FaultSystem } from '../kit/fault-system.ts';
import { pageResponse, removeFromQueue } from './before.ts';
import { exhibit, expectSettled } from './exhibit.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered } from './kernel.ts';

const WORK = DEVICE_WORDS;
/** How many answers the device had when its PRI was switched off. */
const AT_PRI_OFF = DEVICE_WORDS + 1;

function expectInTime(answers: number): void {
  if (answers === 0) throw new Error('PRI was switched off while the device waited for its answer');
}

const system = new FaultSystem({ regions: [{ name: 'pri', words: 1, fields: { AT_PRI_OFF: 0 } }] });

export const removalForgetsGroups: Scenario = exhibit(import.meta.url, {
  name: 'removal-forgets-groups',
  about: 'PRI is switched off while a worker has a group in hand: has the device its answer by then?',
  fix: {
    commit: '0095bf83554f',
    title: 'iommu: Improve iopf_queue_remove_device()',
    shipped: '6.8 and before',
    fixed: '6.9',
  },
  releases: ['6.8', '6.9'],
  copy: {
    shared: { ...DEVICE, WORK, AT_PRI_OFF },
    objects: { fault_param: PARAM, group: GROUP },
    setup(kernel, faulty) {
      const iopf = new Iopf(kernel);
      const param = iopf.addDevice();
      if (!faulty) refcountGet(kernel.words, param + PARAM.USERS);
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
        const switchPriOff = (): void => {
          kernel.words[kernel.shared(AT_PRI_OFF)] = kernel.answersTo(1);
        };
        if (faulty) {
          switchPriOff();
          removeFromQueue(kernel);
        } else {
          new Iopf(kernel).removeDevice(false);
          switchPriOff();
        }
      },
    },
    check(context) {
      expectAnswered(context, 1);
      expectInTime(context.words[context.at('shared') + AT_PRI_OFF]);
    },
  },
  ours: {
    system,
    setup(first) {
      first.attach(1);
      first.report({ grpid: 1 });
    },
    threads: {
      worker(thread) {
        thread.finish(thread.take(), RESPONSE_SUCCESS);
        thread.leave();
      },
      driver(thread, context) {
        thread.path.respondPending(1, RESPONSE_INVALID);
        thread.path.endBatch();
        // The step `fencing-responses`: a worker that answered first has published its answer by its next quiescent state.
        thread.system.rcu.synchronize(thread.system.self);
        context.words[context.at('pri')] = answersTo(context, 1, 1);
        thread.path.removeDevice(1);
        thread.leave();
      },
    },
    check(context) {
      expectSettled(system, context, 1);
      expectInTime(context.words[context.at('pri')]);
    },
  },
});
