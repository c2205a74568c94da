import { type Scenario, scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, RESPONSE_SUCCESS, replaceDomain } from '@faultline/core/iopf';
import { answerOutcome, answersTo } from '../kit/answers.ts';
import { FaultSystem, MAINLINE, SHARED, SPLIT } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { blockDevice, HARDWARE, isBlocked } from '../kit/hardware.ts';
import { refcountLook, slabFigures, stateGuess } from '../kit/racy.ts';

const DEVICE = 1;
const WHOLE = 7; // its last page is on the way
const TORN = 8; // its last page never comes
const BLOCKED_DOMAIN = 2;
const faults = new FaultSystem({
  paths: {
    'answer, then fence': SPLIT,
    'fence, then answer: lockless split': SPLIT,
    'fence, then answer: lockless shared': SHARED,
    'fence, then answer: mainline': MAINLINE,
  },
  regions: [HARDWARE],
});

export const lastPagePriOff: Scenario = scenario(import.meta.url, {
  name: '000/last-page-pri-off',
  about:
    'The last page of a group arrives while PRI is turned off: does the device get its answer while it still listens?',
  seed: '000',
  source: 'seed 000, PRI-off; core/src/iopf/pri-off.ts, priOffSteps()',
  designs: {
    'answer, then fence': 'fails',
    'fence, then answer: lockless split': 'holds',
    'fence, then answer: lockless shared': 'holds',
    'fence, then answer: mainline': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
    first.newBlockedDomain();
    first.report({ grpid: WHOLE, last: false });
    first.report({ grpid: TORN, last: false });
  }),
  threads: {
    // Reports the last page, then handles the group.
    events: {
      open: (context) => faults.open(context),
      run(context, me: FaultThread) {
        const recorded = !isBlocked(context);
        if (recorded) me.report({ grpid: WHOLE });
        me.path.endBatch();
        const group = me.take();
        if (group !== 0) me.finish(group, RESPONSE_SUCCESS);
        me.leave();
        return Number(recorded);
      },
    },
    // @returns how often the device had been answered when PRI went off
    priOff: {
      open: (context) => faults.open(context, { reader: false }),
      run(context, me: FaultThread) {
        const { rcu, self } = me.system;
        replaceDomain(me.system, DEVICE, 0, BLOCKED_DOMAIN);
        blockDevice(context);
        if (context.design !== 'answer, then fence') rcu.synchronize(self);
        me.path.respondPending(DEVICE, RESPONSE_INVALID);
        const answers = answersTo(context, DEVICE, WHOLE);
        rcu.synchronize(self);
        me.remove(DEVICE);
        return answers;
      },
    },
  },
  check(context) {
    faults.balance(context, { requests: 0, params: 0 });
    if (answersTo(context, DEVICE, TORN) !== 0) return 'a request without its last page was answered';
    if (answersTo(context, DEVICE, WHOLE) > context.results.priOff) return 'answered after PRI was off';
    return context.results.events === 0 ? 'terminated by the hardware' : answerOutcome(context, DEVICE, WHOLE);
  },
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
    'answered after PRI was off': 'forbidden',
    'a request without its last page was answered': 'forbidden',
    'never answered': 'forbidden',
    'answered twice': 'forbidden',
  },
});
