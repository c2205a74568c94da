import { type Scenario, scenario } from '@faultline/bench/explore';
import { DEVICE_PARAM, RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { FaultSystem, type Holder, MAINLINE, SHARED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { refcountLook, stateGuess } from '../kit/racy.ts';
import { guardSlabs } from '../kit/use-after-free.ts';

const DEVICE = 1;
const GRPID = 7;
const faults = new FaultSystem({
  paths: { 'freed after a grace period': SHARED, 'counted: lockless shared': SHARED, 'counted: mainline': MAINLINE },
});

/** The faulty order: a grace period ends reports, but not the groups that they left with a worker. */
function freeAfterGracePeriod({ system, path }: FaultThread): void {
  path.respondPending(DEVICE, RESPONSE_INVALID);
  const param = Atomics.exchange(system.words, system.deviceAt(DEVICE) + DEVICE_PARAM, 0);
  system.rcu.synchronize(system.self);
  system.paramCache.free(param);
}

export const faultParamHeld: Scenario = scenario(import.meta.url, {
  name: '000/fault-param-held',
  about: 'The device goes while a worker has one of its groups: is a grace period enough to free the fault_param?',
  seed: '000',
  source: 'seed 000, step 2; core/src/iopf/generations/lockless-shared.ts, putParam()',
  designs: {
    'freed after a grace period': 'fails',
    'counted: lockless split': 'holds',
    'counted: lockless shared': 'holds',
    'counted: mainline': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
    first.report({ grpid: GRPID });
  }),
  threads: {
    worker: {
      open: (context) => faults.openHolder(context),
      run(_, { me, group }: Holder) {
        me.idle();
        me.finish(group, RESPONSE_SUCCESS);
        me.leave();
      },
    },
    removal: {
      open: (context) => faults.open(context, { reader: false }),
      run({ design }, me: FaultThread) {
        if (design === 'freed after a grace period') freeAfterGracePeriod(me);
        else me.remove(DEVICE);
      },
    },
  },
  check: (context) => answerOutcome(context, DEVICE, GRPID),
  guard: guardSlabs(faults.at, 'params'),
  spins: 8, // the guard looks at the fault_param's state before each write to it, in no loop
  racy: [refcountLook(faults.memory), stateGuess(faults.memory)],
  outcomes: {
    'answered Success': 'acceptable',
    'answered Invalid': 'acceptable',
    'never answered': 'forbidden',
    'answered twice': 'forbidden',
  },
});
