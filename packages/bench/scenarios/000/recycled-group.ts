import { type Scenario, scenario } from '@faultline/bench/explore';
import {
  GROUP_PENDING,
  GROUP_STATE,
  GROUP_VOID,
  groupDomainOf,
  groupParamOf,
  groupStateOf,
  packGroupState,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { FaultSystem, type Holder } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { copyBeforeClaim, stateGuess } from '../kit/racy.ts';

const DEVICE = 1;
const GRPID = 7;
const OTHER_DEVICE = 2;
const OTHER_GRPID = 9;
const faults = new FaultSystem({ devices: 2 });

/** The faulty order: the claim makes the group void, its holder frees it, and what is read then is the next request. */
function claimThenRead({ system, ops }: FaultThread): void {
  const { words, requests } = system;
  for (let index = 1; index <= requests.capacity; index++) {
    const at = requests.at(index);
    const seen = Atomics.load(words, at + GROUP_STATE);
    if (groupStateOf(seen) !== GROUP_PENDING) continue;
    const claimed = packGroupState(GROUP_VOID, groupDomainOf(seen), groupParamOf(seen));
    if (Atomics.compareExchange(words, at + GROUP_STATE, seen, claimed) === seen)
      ops.pageResponse(at, RESPONSE_INVALID);
  }
}

export const recycledGroup: Scenario = scenario(import.meta.url, {
  name: '000/recycled-group',
  about: 'PRI-off claims a group, its holder frees it and the slot is filled again: whom does PRI-off answer?',
  seed: '000',
  source: 'seed 000, PRI-off; core/src/iopf/generations/lockless-split.ts, respondMatching()',
  designs: { 'claimed, then read': 'fails', 'copied, then claimed': 'holds' },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
    first.report({ grpid: GRPID });
  }),
  threads: {
    // Lets go of the group; its event queue then has the next request, of another device.
    holder: {
      open: (context) => faults.openHolder(context),
      run(_, { me, group }: Holder) {
        me.finish(group, RESPONSE_SUCCESS);
        me.fill({ device: OTHER_DEVICE, grpid: OTHER_GRPID });
        me.leave();
      },
    },
    priOff: {
      open: (context) => faults.open(context, { reader: false }),
      run({ design }, me: FaultThread) {
        if (design === 'claimed, then read') claimThenRead(me);
        else me.path.respondPending(DEVICE, RESPONSE_INVALID);
      },
    },
  },
  check(context) {
    const outcome = answerOutcome(context, DEVICE, GRPID);
    return outcome === 'never answered' ? 'another request was answered in its place' : outcome;
  },
  racy: [stateGuess(faults.memory), copyBeforeClaim(faults.memory)],
  outcomes: {
    'answered Success': 'acceptable',
    'answered Invalid': 'acceptable',
    'another request was answered in its place': 'forbidden',
    'answered twice': 'forbidden',
  },
});
