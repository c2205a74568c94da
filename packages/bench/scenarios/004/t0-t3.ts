// T0 to T3 of seed 001 on iommufd's objects: a device is detached, and what its faults went through is freed, while one is reported.
import { type CheckContext, type Context, type Scenario, scenario } from '@faultline/bench/explore';
import { detachDomain } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { DEVICE, FAULT, FAULT_FD, HWPT, IOAS, makeAttached } from '../kit/iommu-start.ts';
import { autoRespond, destroy, detachDevice, unbindDevice } from '../kit/iommufd.ts';
import { guardSlabs } from '../kit/use-after-free.ts';

const GRPID = 7;
const machine = new IommuSystem({ devices: 1, threads: 2 });

type Step = (me: IommuThread) => void;

/** T0: the handle leaves the array. It is freed a grace period later, as core has it. */
const takeHandle: Step = ({ machine: own }) => detachDomain(own.system, 1, 0);
/** T1: what waits, and what was read, is answered. */
const clean: Step = ({ machine: own }) => {
  own.answering(() => autoRespond(own, own.faultQueueAt(0), { device: 1, domain: 0 }));
};
const fence: Step = ({ machine: own }) => own.synchronize();

const detach: Step = ({ context }) => detachDevice(context, DEVICE);
const free: Step = ({ caller, call }) => {
  call(destroy, { id: HWPT });
  caller.files.close(FAULT_FD);
  call(destroy, { id: FAULT });
  call(destroy, { id: IOAS });
};
const unbind: Step = ({ context }) => unbindDevice(context, DEVICE);

const UNBIND = 'unbind what was detached';
const STEPS: Readonly<Record<string, readonly Step[]>> = {
  'the handle, then the queue': [takeHandle, clean, fence],
  'the queue, then the handle': [clean, takeHandle, fence],
  'the fence before the handle goes': [fence, takeHandle, clean],
  detach: [detach],
  'detach, free': [detach, free],
  [UNBIND]: [unbind],
};

export const t0t3: Scenario = scenario(import.meta.url, {
  name: '004/t0-t3',
  about:
    'A device is detached, its HWPT and fault queue freed, or it is unbound, while a fault is reported: is it answered, by who is there?',
  seed: '001',
  source: 'iommufd/src/device/steps.ts, detachReally(); iommufd/src/hwpt/domains.ts, giveDomain()',
  designs: {
    'the handle, then the queue': 'fails',
    'the queue, then the handle': 'fails',
    'the fence before the handle goes': 'fails',
    detach: 'holds',
    'detach, free': 'holds',
    [UNBIND]: 'holds',
  },
  memory: machine.memory,
  racy: machine.racy,
  setup(context: Context) {
    machine.setup((first) => {
      makeAttached(first);
      if (context.design === UNBIND) detach(first);
    })(context);
  },
  threads: {
    vmm: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        for (const step of STEPS[design]) step(me);
      },
    },
    isr: {
      open: (context) => machine.open(context),
      run(_context, me: IommuThread) {
        me.fault({ grpid: GRPID });
      },
    },
  },
  check(context: CheckContext) {
    machine.expectSettled(context);
    if (context.design === 'detach, free') unbind(machine.at(context));
    if (context.design === UNBIND) free(machine.at(context));
    if (context.design === 'detach, free' || context.design === UNBIND) machine.expectNothingLeft(context);
    return answerOutcome(context, 1, GRPID);
  },
  guard: guardSlabs((context) => machine.at(context).machine.system, 'requests', 'handles'),
  timeouts: 'last', // freeing a domain gives up after ten seconds
  outcomes: { 'answered Invalid': 'acceptable' },
});
