// A fault file is polled while a read too small for the group that waits clears what lies before it: the place of a group that was answered
// automatically.
import { type Scenario, scenario } from '@faultline/bench/explore';
import { MpmcConsumer } from '@faultline/core/ring';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { QUEUE } from '../kit/iommu-names.ts';
import { DEVICE, FAULT, IOAS, makeAttached, NEXT_ID } from '../kit/iommu-start.ts';
import { attachDevice, bindDevice, detachDevice, HWPT_FAULT_ID_VALID, hwptAlloc } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const MOVING = 'counting from a head that moves';
const GONE = 2 ** 31 - 1;
const machine = new IommuSystem({ devices: 2, threads: 2 });

/** As one would write it first. */
function isWaitingFromHead({ machine: own }: IommuThread): boolean {
  const ring = new MpmcConsumer(own.words, own.faultQueueAt(0) + QUEUE.RING);
  for (let ahead = 0; ; ahead++) {
    const group = ring.peek(ahead);
    if (group !== GONE) return group !== 0;
  }
}

export const pollBesideRead: Scenario = scenario(import.meta.url, {
  name: '004/poll-beside-read',
  about: 'A read clears places of groups that are gone while the file is polled: is the group behind them overlooked?',
  seed: '004',
  source: 'iommufd/src/fault-queue/delivery.ts, isWaiting()',
  designs: { [MOVING]: 'fails', 'looking again with the lock': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup: machine.setup((first) => {
    makeAttached(first);
    const devId = bindDevice(first.context, 2);
    first.call(hwptAlloc, { flags: HWPT_FAULT_ID_VALID, devId, ptId: IOAS, faultId: FAULT });
    attachDevice(first.context, devId, { ptId: NEXT_ID + 1 });
    first.fault({ device: 1, grpid: 1 });
    first.fault({ device: 2, grpid: 2 });
    detachDevice(first.context, DEVICE);
  }),
  threads: {
    poller: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        const isWaiting = design === MOVING ? isWaitingFromHead(me) : (me.file().poll() & 1) === 1;
        return isWaiting ? 1 : 0;
      },
    },
    reader: {
      open: (context) => machine.open(context),
      run(_context, me: IommuThread) {
        const refusal = refusalOf(() => me.file().read(me.user, 0n, 0));
        if (refusal !== 'EINVAL') throw new Error(`the read is refused by ${refusal || 'nobody'}`);
      },
    },
  },
  check({ results }) {
    if (results.poller !== 1) throw new Error('a group waits, and the poll says that none does');
  },
});
