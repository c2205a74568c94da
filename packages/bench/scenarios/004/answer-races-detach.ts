// User space answers a group while the domain that it came by is detached or replaced, and the groups of it answered for user space.
import { type CheckContext, type Context, type Scenario, scenario } from '@faultline/bench/explore';
import { detachDomain, RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { DEVICE, HWPT, IOAS, makeAttached, NEXT_ID } from '../kit/iommu-start.ts';
import { CookieTable, detachDevice, hwptAlloc, replaceDevice } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';
import { guardSlabs } from '../kit/use-after-free.ts';

const GRPID = 7;
const machine = new IommuSystem({ devices: 1, threads: 2, regions: [{ name: 'cookie', words: 1 }] });

/** As one would write it first: whatever the table names is answered, and then taken out of it. */
function detachUnclaimed({ machine: own }: IommuThread): void {
  detachDomain(own.system, 1, 0);
  own.synchronize();
  const cookies = new CookieTable(own.words, own.faultQueueAt(0));
  own.answering(() => {
    const held = cookies.heldAt(1);
    if (held === 0) return;
    own.path.respondGroup(cookies.groupOf(held), RESPONSE_INVALID);
    own.path.freeGroup(cookies.groupOf(held));
    cookies.redeemSlot(1, held);
  });
}

const STEPS: Readonly<Record<string, (me: IommuThread) => void>> = {
  'detach, answering what the table names': detachUnclaimed,
  'detach, answering what it claims': (me) => detachDevice(me.context, DEVICE),
  'replace, answering what it claims': (me) => void replaceDevice(me.context, DEVICE, { ptId: NEXT_ID }),
};

export const answerRacesDetach: Scenario = scenario(import.meta.url, {
  name: '004/answer-races-detach',
  about:
    'A group is answered while its device is detached, or its domain replaced: is it answered once, and freed once?',
  seed: '004',
  source: 'iommufd/src/fault-queue/auto-respond.ts; iommufd/src/device/steps.ts',
  designs: {
    'detach, answering what the table names': 'fails',
    'detach, answering what it claims': 'holds',
    'replace, answering what it claims': 'holds',
  },
  memory: machine.memory,
  racy: machine.racy,
  setup(context: Context) {
    machine.setup((first) => {
      makeAttached(first);
      first.call(hwptAlloc, { devId: DEVICE, ptId: IOAS });
      first.fault({ grpid: GRPID });
      first.machine.answering(() => {
        context.words[context.at('cookie')] = first.queue().next();
      });
    })(context);
  },
  threads: {
    user: {
      open: (context) => ({ me: machine.open(context), cookie: context.words[context.at('cookie')] }),
      run(_context, { me, cookie }: { me: IommuThread; cookie: number }) {
        const queue = me.queue();
        me.machine.answering(() => refusalOf(() => queue.respond(cookie, RESPONSE_SUCCESS)));
      },
    },
    vmm: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        STEPS[design](me);
      },
    },
  },
  check(context: CheckContext) {
    machine.expectSettled(context);
    const { context: iommu } = machine.at(context);
    if (
      context.design.startsWith('detach, answering what it') &&
      iommu.objects.users(iommu.objects.get('', '', HWPT)) !== 1
    )
      throw new Error('the HWPT has users still');
    return answerOutcome(context, 1, GRPID);
  },
  guard: guardSlabs((context) => machine.at(context).machine.system, 'requests', 'handles'),
  outcomes: { 'answered Success': 'acceptable', 'answered Invalid': 'acceptable' },
});
