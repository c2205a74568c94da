// A vIOMMU's driver reports an event while the queue that it goes to is destroyed, and its record taken for another queue.
import { type Scenario, scenario } from '@faultline/bench/explore';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { makeEventQueue, reportOne } from '../kit/events.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { FAULT_FD, NEXT_ID, VIOMMU } from '../kit/iommu-start.ts';
import { destroy, EventQueue, VEVENTQ_BODY, VIOMMU_EVENT_LOCK, VIOMMU_EVENTQS } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const LATE = 'the list let go of before the queue is locked';
const machine = new IommuSystem({ devices: 1, threads: 2 });

/** As one would write it first. */
function reportLate({ machine: own, context: { objects, words } }: IommuThread): void {
  const at = objects.at(own.idsOf(1).load(VIOMMU));
  mutexLock(words, at + VIOMMU_EVENT_LOCK, own.self);
  const object = words[at + VIOMMU_EVENTQS];
  const body = object === 0 ? 0 : words[objects.at(object) + VEVENTQ_BODY];
  mutexUnlock(words, at + VIOMMU_EVENT_LOCK, own.self);
  if (body === 0) return;
  const queue = new EventQueue(own, body);
  queue.lock();
  queue.append(own.pools.events.alloc('report'));
  queue.unlock();
  queue.wake();
}

export const eventQueueGoes: Scenario = scenario(import.meta.url, {
  name: '004/event-queue-goes',
  about: 'An event is reported while its queue is destroyed: is it in the queue that goes, or in none?',
  seed: '004',
  source: 'iommufd/src/veventq/report.ts, lockQueue(); alloc.ts, endVeventq()',
  designs: { [LATE]: 'fails', 'the queue locked under the lock of the list': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup: machine.setup((first) => {
    makeEventQueue(first, 2);
    first.caller.files.close(FAULT_FD);
  }),
  threads: {
    driver: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        if (design === LATE) reportLate(me);
        else refusalOf(() => reportOne(me));
      },
    },
    vmm: {
      open: (context) => machine.open(context),
      run(_context, me: IommuThread) {
        me.call(destroy, { id: NEXT_ID });
      },
    },
  },
  check(context) {
    const { veventqs, events } = machine.at(context).machine.live();
    if (veventqs + events > 0) throw new Error(`${veventqs} queues and ${events} events are left`);
  },
});
