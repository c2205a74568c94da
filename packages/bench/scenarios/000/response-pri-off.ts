import { type Scenario, scenario } from '@faultline/bench/explore';
import {
  GROUP_ANSWERED,
  GROUP_PENDING,
  GROUP_STATE,
  GROUP_VOID,
  groupDomainOf,
  groupParamOf,
  groupStateOf,
  packGroupState,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  type ResponseCode,
} from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { FaultSystem, type Holder, MAINLINE, SHARED, SPLIT, V7 } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { refcountLook, stateGuess } from '../kit/racy.ts';

const DEVICE = 1;
const GRPID = 7;
const faults = new FaultSystem({
  paths: {
    'look, then answer': SPLIT,
    'compare-exchange on STATE': SPLIT,
    'under the fault lock: lockless shared': SHARED,
    'under the fault lock: mainline': MAINLINE,
    'under the fault lock: v7': V7,
  },
});

/** The faulty order: the other may answer between the look and the store. */
function lookThenAnswer({ system, ops }: FaultThread, group: number, code: ResponseCode, state: number): void {
  const { words, requests } = system;
  const at = requests.at(group);
  const seen = Atomics.load(words, at + GROUP_STATE);
  if (groupStateOf(seen) !== GROUP_PENDING) return;
  ops.pageResponse(at, code);
  Atomics.store(words, at + GROUP_STATE, packGroupState(state, groupDomainOf(seen), groupParamOf(seen)));
}

export const responsePriOff: Scenario = scenario(import.meta.url, {
  name: '000/response-pri-off',
  about: 'A group is answered by its holder and by PRI-off at once: is its device told exactly once?',
  seed: '000',
  source: 'seed 000, "mark the group memory as invalid"; core/src/iopf/generations/lockless-split.ts, [X]',
  designs: {
    'look, then answer': 'fails',
    'compare-exchange on STATE': 'holds',
    'under the fault lock: lockless shared': 'holds',
    'under the fault lock: mainline': 'holds',
    'under the fault lock: v7': 'holds',
  },
  memory: faults.memory,
  setup: faults.setup((first) => {
    first.attach(DEVICE);
    first.report({ grpid: GRPID });
  }),
  threads: {
    holder: {
      open: (context) => faults.openHolder(context),
      run({ design }, { me, group }: Holder) {
        if (design === 'look, then answer') {
          lookThenAnswer(me, group, RESPONSE_SUCCESS, GROUP_ANSWERED);
          me.path.freeGroup(group);
        } else me.finish(group, RESPONSE_SUCCESS);
        me.leave();
      },
    },
    priOff: {
      open: (context) => faults.open(context, { reader: false }),
      run({ design }, me: FaultThread) {
        if (design !== 'look, then answer') me.path.respondPending(DEVICE, RESPONSE_INVALID);
        else for (let i = 1; i <= me.system.requests.capacity; i++) lookThenAnswer(me, i, RESPONSE_INVALID, GROUP_VOID);
      },
    },
  },
  check(context) {
    faults.balance(context, { requests: 0, params: 1 });
    return answerOutcome(context, DEVICE, GRPID);
  },
  racy: [stateGuess(faults.memory), refcountLook(faults.memory)],
  outcomes: {
    'answered Success': 'acceptable',
    'answered Invalid': 'acceptable',
    'answered twice': 'forbidden',
    'never answered': 'forbidden',
  },
});
