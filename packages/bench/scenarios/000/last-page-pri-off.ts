import { type Scenario, scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, replaceDomain } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { FaultSystem, MAINLINE, SHARED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { blockDevice, HARDWARE, isBlocked } from '../kit/hardware.ts';

const DEVICE = 1;
const WHOLE = 7; // its last page is on the way
const TORN = 8; // its last page never comes
const BLOCKED_DOMAIN = 2;
// What became of the last page.
const TERMINATED = 1;
const REFUSED = 2;
const REPORTED_GROUP = 3;
const faults = new FaultSystem({
  paths: { 'fence, then answer: lockless shared': SHARED, 'fence, then answer: mainline': MAINLINE },
  regions: [HARDWARE],
});

export const lastPagePriOff: Scenario = scenario(import.meta.url, {
  name: '000/last-page-pri-off',
  about: 'The last page of a group arrives while PRI is turned off: is any group left that waits for an answer?',
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
    events: {
      open: (context) => faults.open(context),
      run(context, me: FaultThread) {
        me.idle();
        const blocked = isBlocked(context);
        if (!blocked) me.report({ grpid: WHOLE });
        me.leave();
        return blocked ? TERMINATED : me.path.books.groups === 1 ? REPORTED_GROUP : REFUSED;
      },
    },
    priOff: {
      open: (context) => faults.open(context, { reader: false }),
      run(context, me: FaultThread) {
        const fence = (): void => me.system.rcu.synchronize(me.system.self);
        replaceDomain(me.system, DEVICE, 0, BLOCKED_DOMAIN);
        blockDevice(context);
        if (context.design !== 'answer, then fence') fence();
        me.path.respondPending(DEVICE, RESPONSE_INVALID);
        if (context.design === 'answer, then fence') fence();
        me.path.discardPartial(DEVICE);
      },
    },
  },
  check(context) {
    if (answerOutcome(context, DEVICE, TORN) !== 'never answered')
      return 'a request without its last page was answered';
    const left = faults.at(context).requests.live();
    const whole = context.results.events === REPORTED_GROUP ? 2 : 0; // answered, and still its worker's; all else was dropped
    if (left !== whole) throw new Error(`${left} requests are in use, not ${whole}`);
    return context.results.events === TERMINATED ? 'terminated by the hardware' : answerOutcome(context, DEVICE, WHOLE);
  },
  outcomes: {
    'answered Invalid': 'acceptable',
    'terminated by the hardware': 'acceptable',
    'never answered': 'forbidden', // PRI is off, and the group pending
    'answered twice': 'forbidden',
    'a request without its last page was answered': 'forbidden',
  },
});
