// A device that uses a group id again before the first group of that number is answered.
import { type Context, type Scenario, scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answersTo } from '../kit/answers.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import { type FaultQueue, GroupKeyTable, groupKeyTableWords } from '../kit/iommufd.ts';

const GRPID = 7;
const BY_ID = "keyed by the device's group id";
const KEYS = { name: 'keys', words: groupKeyTableWords(1) };
const machine = new IommuSystem({ devices: 1, threads: 2, regions: [KEYS, { name: 'first', words: 1 }] });

interface User {
  readonly me: IommuThread;
  readonly queue: FaultQueue;
  readonly first: number;
}

function open(context: Context, me: IommuThread): User {
  const keys = context.design === BY_ID ? new GroupKeyTable(me.machine.system, context.at(KEYS.name)) : undefined;
  return { me, queue: me.queue(keys), first: context.words[context.at('first')] };
}

/** Reads the second group, where it is there, and refuses its page. */
function refuseSecond({ queue }: User): void {
  const cookie = queue.next();
  if (cookie !== 0) queue.respond(cookie, RESPONSE_INVALID);
}

export const reusedGroupId: Scenario = scenario(import.meta.url, {
  name: '004/reused-group-id',
  about: 'A device uses a group id again while its first group is unanswered: does each group get its own answer?',
  seed: '004',
  source: 'iommufd/src/fault-queue/group-key-table.ts and cookie-table.ts',
  designs: { [BY_ID]: 'fails', 'keyed by a cookie': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup(context) {
    machine.setup((first) => {
      makeAttached(first);
      first.fault({ grpid: GRPID });
      first.machine.answering(() => {
        context.words[context.at('first')] = open(context, first).queue.next();
      });
    })(context);
  },
  threads: {
    device: {
      open: (context) => machine.open(context),
      run(_context, me: IommuThread) {
        me.fault({ grpid: GRPID });
      },
    },
    user: {
      open: (context) => open(context, machine.open(context)),
      run(_context, own: User) {
        own.me.machine.answering(() => {
          refuseSecond(own);
          own.queue.respond(own.first, RESPONSE_SUCCESS);
        });
      },
    },
  },
  check(context) {
    const own = open(context, machine.at(context));
    own.me.machine.answering(() => refuseSecond(own));
    const count = answersTo(context, 1, GRPID);
    if (count !== 2) throw new Error(`two groups have ${count} answers`);
    machine.expectSettled(context);
  },
});
