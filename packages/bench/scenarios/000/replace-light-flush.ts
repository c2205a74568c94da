import { type Scenario, scenario } from '@faultline/bench/explore';
import { freeDomain, RESPONSE_SUCCESS, replaceDomain } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { freeUnasked, guardDomains } from '../kit/domains.ts';
import { FaultSystem, SHARED, SPLIT } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { stateGuess } from '../kit/racy.ts';

const DEVICE = 1;
const GRPID = 7;
const OLD = 1;
const NEW = 2;
const faults = new FaultSystem({
  paths: {
    'flush, free': SPLIT,
    'flush, wait, free: lockless split': SPLIT,
    'flush, wait, free: lockless shared': SHARED,
  },
});

export const replaceLightFlush: Scenario = scenario(import.meta.url, {
  name: '000/replace-light-flush',
  about:
    "Replace answers the old domain's groups while a worker is at one: may the old domain go once they are answered?",
  seed: '000',
  source: 'seed 000, "an optimization"; core/src/iopf/pri-off.ts, domainSteps()',
  designs: {
    'flush, free': 'fails',
    'flush, wait, free: lockless split': 'holds',
    'flush, wait, free: lockless shared': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
    first.newDomain();
    first.report({ grpid: GRPID });
  }),
  threads: {
    worker: {
      open: (context) => faults.open(context),
      run(_, me: FaultThread) {
        me.idle();
        me.handle();
        me.leave();
      },
    },
    owner: {
      open: (context) => faults.open(context, { reader: false }),
      run({ design }, me: FaultThread) {
        const { system } = me;
        replaceDomain(system, DEVICE, 0, NEW);
        system.rcu.synchronize(system.self);
        me.path.flushDomain(DEVICE, OLD, RESPONSE_SUCCESS);
        if (design === 'flush, free') freeUnasked(system, OLD);
        else {
          system.pending.waitZero(OLD, system.self, Infinity);
          freeDomain(system, OLD);
        }
      },
    },
  },
  check(context) {
    faults.balance(context, { requests: 0, params: 1 });
    return answerOutcome(context, DEVICE, GRPID);
  },
  guard: guardDomains(faults.at),
  racy: [stateGuess(faults.memory)],
  outcomes: { 'answered Success': 'acceptable', 'answered twice': 'forbidden', 'never answered': 'forbidden' },
});
