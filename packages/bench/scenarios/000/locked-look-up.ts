import { type Scenario, scenario } from '@faultline/bench/explore';
import { detachDomain, freeDomain } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { guardDomains } from '../kit/domains.ts';
import { FaultSystem, LOCKED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';

const DEVICE = 1;
const GRPID = 7;
const DOMAIN = 1;
const faults = new FaultSystem({
  paths: {
    'detach, free': LOCKED,
    'detach, grace period, free': LOCKED,
    'detach, drain the work queue, free': LOCKED,
  },
});

export const lockedLookUp: Scenario = scenario(import.meta.url, {
  name: '000/locked-look-up',
  about: "What serialises the worker's look-up of the domain with the domain's removal?",
  seed: '000',
  source: 'seed 000, "what is serializing"; core/src/iopf/generations/locked.ts, groupDomain()',
  designs: {
    'detach, free': 'fails',
    'detach, grace period, free': 'holds',
    'detach, drain the work queue, free': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
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
        detachDomain(me.system, DEVICE, 0);
        if (design === 'detach, grace period, free') me.system.rcu.synchronize(me.system.self);
        if (design === 'detach, drain the work queue, free') me.drainWork();
        freeDomain(me.system, DOMAIN);
      },
    },
  },
  check(context) {
    faults.balance(context, { requests: 0, params: 1 });
    return answerOutcome(context, DEVICE, GRPID);
  },
  guard: guardDomains(faults.at),
  outcomes: {
    'answered Success': 'acceptable',
    'answered Invalid': 'acceptable', // its domain was gone when the worker came to it
    'never answered': 'forbidden',
  },
});
