import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { DEVICE_PARAM, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { FaultSystem, MAINLINE, SHARED, SPLIT } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { blockDevice, HARDWARE, isBlocked } from '../kit/hardware.ts';
import { refcountLook, slabFigures, stateGuess } from '../kit/racy.ts';
import { guardSlabs } from '../kit/use-after-free.ts';

const DEVICE = 1;
const GRPID = 7;
const faults = new FaultSystem({
  paths: {
    'freed at once': SPLIT,
    'freed after a grace period, not counted': SHARED,
    'counted, after a grace period, not fenced': SHARED,
    'fenced, then removed: lockless split': SPLIT,
    'fenced, then removed: lockless shared': SHARED,
    'fenced, then removed: mainline': MAINLINE,
  },
  regions: [HARDWARE],
});
const isFenced = ({ design }: ThreadContext): boolean => design.startsWith('fenced');

/** The faulty orders: whoever found the fault_param before still uses it. */
function freeUncounted({ system }: FaultThread, graceFirst: boolean): void {
  const param = Atomics.exchange(system.words, system.deviceAt(DEVICE) + DEVICE_PARAM, 0);
  if (graceFirst) system.rcu.synchronize(system.self);
  system.paramCache.free(param);
}

export const faultParamFree: Scenario = scenario(import.meta.url, {
  name: '000/fault-param-free',
  about: 'The device goes while its faults are reported: what must removal wait for before the fault_param is freed?',
  seed: '000',
  source: 'seed 000, step 2, and the fence of PRI-off; core/src/iopf/generations/lockless-base.ts, removeDevice()',
  designs: {
    'freed at once': 'fails',
    'freed after a grace period, not counted': 'fails',
    'counted, after a grace period, not fenced': 'fails',
    'fenced, then removed: lockless split': 'holds',
    'fenced, then removed: lockless shared': 'holds',
    'fenced, then removed: mainline': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
  }),
  threads: {
    // Reports a group of two, then handles it.
    events: {
      open: (context) => faults.open(context),
      run(context, me: FaultThread) {
        const recorded = !(isFenced(context) && isBlocked(context));
        if (recorded) {
          me.report({ grpid: GRPID, last: false });
          me.report({ grpid: GRPID });
        }
        me.path.endBatch();
        const group = me.take();
        if (group !== 0) me.finish(group, RESPONSE_SUCCESS);
        me.leave();
        return Number(recorded);
      },
    },
    removal: {
      open: (context) => faults.open(context, { reader: false }),
      run(context, me: FaultThread) {
        if (context.design.includes('not counted') || context.design === 'freed at once')
          return freeUncounted(me, context.design !== 'freed at once');
        if (isFenced(context)) {
          blockDevice(context);
          me.system.rcu.synchronize(me.system.self);
        }
        me.remove(DEVICE);
      },
    },
  },
  check(context) {
    faults.balance(context, { requests: 0, params: 0 });
    return context.results.events === 0 ? 'terminated by the hardware' : answerOutcome(context, DEVICE, GRPID);
  },
  guard: guardSlabs(faults.at, 'params'),
  racy: [
    refcountLook(faults.memory),
    stateGuess(faults.memory),
    slabFigures(faults.memory, 'iopf.params'),
    slabFigures(faults.memory, 'iopf.requests'),
  ],
  outcomes: {
    'answered Success': 'acceptable',
    'answered Invalid': 'acceptable',
    'terminated by the hardware': 'acceptable',
    'never answered': 'forbidden',
    'answered twice': 'forbidden',
  },
});
