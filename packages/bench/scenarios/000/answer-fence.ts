import { type Scenario, scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answerOutcome, answersTo } from '../kit/answers.ts';
import { FaultSystem, type Holder } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { stateGuess } from '../kit/racy.ts';

const DEVICE = 1;
const GRPID = 7;
const faults = new FaultSystem();

export const answerFence: Scenario = scenario(import.meta.url, {
  name: '000/answer-fence',
  about: 'PRI-off finds a group that its holder has claimed: has the device been told when PRI goes off?',
  seed: '000',
  source: 'seed 000, "fence the HW against queued responses"; core/src/iopf/pri-off.ts, fenceResponses',
  designs: { 'PRI off at once': 'fails', 'PRI off after a fence': 'holds' },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
    first.report({ grpid: GRPID });
  }),
  threads: {
    holder: {
      open: (context) => faults.openHolder(context),
      run(_, { me, group }: Holder) {
        me.finish(group, RESPONSE_SUCCESS);
        me.leave();
      },
    },
    // @returns how often the device had been answered when PRI went off
    priOff: {
      open: (context) => faults.open(context, { reader: false }),
      run(context, me: FaultThread) {
        me.path.respondPending(DEVICE, RESPONSE_INVALID);
        if (context.design === 'PRI off after a fence') me.system.rcu.synchronize(me.system.self);
        return answersTo(context, DEVICE, GRPID);
      },
    },
  },
  check(context) {
    return context.results.priOff === 1 ? answerOutcome(context, DEVICE, GRPID) : 'answered after PRI was off';
  },
  racy: [stateGuess(faults.memory)],
  outcomes: {
    'answered Success': 'acceptable',
    'answered Invalid': 'acceptable',
    'answered after PRI was off': 'forbidden',
    'answered twice': 'forbidden',
  },
});
