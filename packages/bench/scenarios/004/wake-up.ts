// A device faults while the reader of its fault queue goes to sleep.
import { type Scenario, scenario } from '@faultline/bench/explore';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { QUEUE } from '../kit/iommu-names.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import { Delivery } from '../kit/iommufd.ts';

const LOOK_FIRST = 'look, announce, sleep';
const machine = new IommuSystem({ devices: 1, threads: 2 });

/** As one would write it first. */
function parkLate({ machine: own }: IommuThread): void {
  const { words } = own;
  const at = own.faultQueueAt(0);
  if (new Delivery(own.system, at).isWaiting()) return;
  Atomics.add(words, at + QUEUE.SLEEPERS, 1);
  Atomics.wait(words, at + QUEUE.WAKE, Atomics.load(words, at + QUEUE.WAKE));
  Atomics.sub(words, at + QUEUE.SLEEPERS, 1);
}

export const wakeUp: Scenario = scenario(import.meta.url, {
  name: '004/wake-up',
  about: 'A fault is reported while its reader goes to sleep: is the reader woken?',
  seed: '004',
  source: 'iommufd/src/fault-queue/fault-sink.ts, publish(); delivery.ts, park()',
  designs: { [LOOK_FIRST]: 'fails', 'announce, look, sleep': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup: machine.setup(makeAttached),
  threads: {
    device: {
      open: (context) => machine.open(context),
      run(_context, me: IommuThread) {
        me.fault({ grpid: 1 });
      },
    },
    reader: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        const queue = me.queue();
        me.machine.answering(() => {
          while (queue.next() === 0) {
            if (design !== LOOK_FIRST) queue.park(Number.POSITIVE_INFINITY);
            else me.machine.blocking(() => parkLate(me));
          }
        });
      },
    },
  },
});
