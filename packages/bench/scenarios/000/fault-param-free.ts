import { type Scenario, scenario } from '@faultline/bench/explore';
import { DEVICE_PARAM } from '@faultline/core/iopf';
import { FaultSystem, MAINLINE, SHARED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { blockDevice, HARDWARE, isBlocked } from '../kit/hardware.ts';
import { refcountLook } from '../kit/racy.ts';
import { guardSlabs } from '../kit/use-after-free.ts';

const DEVICE = 1;
const faults = new FaultSystem({
  paths: {
    'counted, after a grace period, not fenced': SHARED,
    'fenced, then removed: lockless shared': SHARED,
    'fenced, then removed: mainline': MAINLINE,
  },
  regions: [HARDWARE],
});

/** The faulty order: a report that found the fault_param before it left is still at it. */
function freeAtOnce({ system, path }: FaultThread): void {
  path.discardPartial(DEVICE);
  const param = Atomics.exchange(system.words, system.deviceAt(DEVICE) + DEVICE_PARAM, 0);
  system.paramCache.free(param);
}

export const faultParamFree: Scenario = scenario(import.meta.url, {
  name: '000/fault-param-free',
  about: 'The device goes while a request of it is reported: what keeps the fault_param, and what keeps the request?',
  seed: '000',
  source: 'seed 000, step 2; core/src/iopf/generations/lockless-base.ts, removeDevice()',
  designs: {
    'freed at once': 'fails',
    'counted, after a grace period, not fenced': 'fails', // the memory is safe, but the request is set aside where nobody looks
    'fenced, then removed: lockless split': 'holds',
    'fenced, then removed: lockless shared': 'holds',
    'fenced, then removed: mainline': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
  }),
  threads: {
    events: {
      open: (context) => faults.open(context),
      run(context, me: FaultThread) {
        me.idle();
        if (!isBlocked(context)) me.report({ grpid: 7, last: false });
        me.leave();
      },
    },
    removal: {
      open: (context) => faults.open(context, { reader: false }),
      run(context, me: FaultThread) {
        if (context.design.startsWith('fenced')) {
          blockDevice(context);
          me.system.rcu.synchronize(me.system.self);
        }
        if (context.design === 'freed at once') freeAtOnce(me);
        else me.remove(DEVICE);
      },
    },
  },
  check: (context) => faults.balance(context, { requests: 0, params: 0 }),
  guard: guardSlabs(faults.at, 'params'),
  racy: [refcountLook(faults.memory)],
});
