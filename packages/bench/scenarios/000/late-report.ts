import { type Scenario, scenario } from '@faultline/bench/explore';
import {
  DEVICE_PARAM,
  GROUP_PENDING,
  GROUP_STATE,
  groupParamOf,
  groupStateOf,
  type IopfSystem,
} from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { FaultSystem, MAINLINE, SHARED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { refcountLook } from '../kit/racy.ts';

const DEVICE = 1;
const NEXT_DEVICE = 2;
const GRPID = 7;
const OUTSIDE = 'found outside a read section';
const faults = new FaultSystem({
  devices: 2,
  paths: {
    [OUTSIDE]: SHARED,
    'found inside one: lockless shared': SHARED,
    'found inside one: mainline': MAINLINE,
  },
});

function isPendingOn(system: IopfSystem, device: number): boolean {
  const { words, requests } = system;
  const param = words[system.deviceAt(device) + DEVICE_PARAM];
  for (let index = 1; index <= requests.capacity; index++) {
    const state = words[requests.at(index) + GROUP_STATE];
    if (groupStateOf(state) === GROUP_PENDING && groupParamOf(state) === param) return true;
  }
  return false;
}

export const lateReport: Scenario = scenario(import.meta.url, {
  name: '000/late-report',
  about:
    'A last page meets the unfenced removal of its fault_param, which the next device takes over: whose group is it?',
  seed: '000',
  source: 'seed 000, step 2, "RCU free"; core/src/iopf/generations/lockless-base.ts, reportDeviceFault()',
  designs: {
    [OUTSIDE]: 'fails', // a count that is not zero is no proof that it is the same object
    'found inside one: lockless split': 'fails', // counts by thread add up only behind the fence that is missing here
    'found inside one: lockless shared': 'holds',
    'found inside one: mainline': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
  }),
  threads: {
    events: {
      open: (context) => faults.open(context, { reader: context.design !== OUTSIDE }),
      run(_, me: FaultThread) {
        me.report({ grpid: GRPID });
        me.leave();
      },
    },
    removal: {
      open: (context) => faults.open(context, { reader: false }),
      run(_, me: FaultThread) {
        me.path.removeDevice(DEVICE);
        me.path.isReleased();
        me.system.deferredParams.flush(me.system.self);
        me.path.addDevice(NEXT_DEVICE);
      },
    },
  },
  check(context) {
    const outcome = answerOutcome(context, DEVICE, GRPID);
    if (outcome !== 'never answered') return outcome;
    return isPendingOn(faults.at(context), NEXT_DEVICE) ? 'pending on the next device' : 'left with a worker';
  },
  racy: [refcountLook(faults.memory)],
  outcomes: {
    'answered Invalid': 'acceptable', // it found none, or removal answered it
    'left with a worker': 'acceptable',
    'pending on the next device': 'forbidden',
    'answered twice': 'forbidden',
  },
});
