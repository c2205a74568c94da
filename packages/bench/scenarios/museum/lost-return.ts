// From 6.9 to 6.10 a request that was not its group's last was set aside, and its reference on the fault_param put; the return
// that belonged there was lost, so the same request went on as a group of its own, whose reference was put once more.
import type { Scenario } from '@faultline/bench/explore';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { DEVICE, DEVICE_WORDS, GROUP, Iopf, PARAM } from './iopf.ts';
import { expectAnswered, expectFreed, heapOffset } from './kernel.ts';
import { WorkQueue, workQueueFields } from './work-queue.ts';

const WORK = DEVICE_WORDS;

export const lostReturn: Scenario = exhibit(import.meta.url, {
  name: 'lost-return',
  about:
    'A group of two requests is reported while a worker handles what is queued: is there one group, answered once?',
  fix: {
    commit: 'fca5b78511e9',
    title: 'iommu: Restore lost return in iommu_report_device_fault()',
    cve: 'CVE-2024-44994',
    shipped: '6.9 to 6.10',
    fixed: '6.11 and 6.10.7',
  },
  releases: ['6.10', '6.11'],
  copy: {
    shared: { ...DEVICE, ...workQueueFields(WORK) },
    objects: { fault_param: PARAM, first: GROUP, second: GROUP },
    setup: (kernel) => {
      new Iopf(kernel).addDevice();
    },
    threads: {
      event(kernel, faulty) {
        const iopf = new Iopf(kernel);
        const work = new WorkQueue(kernel, WORK);
        const report = (isLast: boolean): void => {
          const param = iopf.getParam();
          if (param === 0) return;
          if (!isLast) {
            iopf.setAside(param, 1);
            iopf.putParam(param);
            if (!faulty) return;
          }
          work.queue(iopf.newGroup(param, 1));
        };
        report(false);
        report(true);
        work.end();
      },
      worker(kernel) {
        const iopf = new Iopf(kernel);
        new WorkQueue(kernel, WORK).run((group) => {
          iopf.respond(group);
          iopf.freeGroup(group);
        });
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
  ours: {
    system: new FaultSystem(),
    setup: (first) => {
      first.attach(1);
    },
    threads: {
      event(thread) {
        thread.report({ grpid: 1, last: false });
        thread.report({ grpid: 1 });
        thread.path.endBatch();
        thread.handle(); // where the worker came too early
        thread.leave();
      },
      worker(thread) {
        thread.handle();
        thread.leave();
      },
    },
  },
});
