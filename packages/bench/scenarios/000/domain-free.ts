import { type Scenario, scenario } from '@faultline/bench/explore';
import { detachDomain, freeDomain } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { freeUnasked, guardDomains } from '../kit/domains.ts';
import { FaultSystem, SHARED, SPLIT } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';

const DEVICE = 1;
const GRPID = 7;
const DOMAIN = 1;
const faults = new FaultSystem({
  paths: {
    'freed after a grace period': SPLIT,
    'freed when nothing is pending: lockless split': SPLIT,
    'freed when nothing is pending: lockless shared': SHARED,
  },
});

export const domainFree: Scenario = scenario(import.meta.url, {
  name: '000/domain-free',
  about: 'A domain is freed while a worker still has one of its groups to handle: what does freeing wait for?',
  seed: '000',
  source: 'seed 000, step 6 and "when freeing a domain"; core/src/iopf/domain.ts, freeDomain()',
  designs: {
    'freed after a grace period': 'fails',
    'freed when nothing is pending: lockless split': 'holds',
    'freed when nothing is pending: lockless shared': 'holds',
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
      run({ design }, { system }: FaultThread) {
        detachDomain(system, DEVICE, 0);
        system.rcu.synchronize(system.self);
        if (design === 'freed after a grace period') freeUnasked(system, DOMAIN);
        else {
          system.pending.waitZero(DOMAIN, system.self, Infinity);
          freeDomain(system, DOMAIN);
        }
      },
    },
  },
  check: (context) => answerOutcome(context, DEVICE, GRPID),
  guard: guardDomains(faults.at),
  outcomes: { 'answered Success': 'acceptable', 'never answered': 'forbidden' },
});
