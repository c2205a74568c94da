// A device that faults already is attached: to an HWPT that faults go through, or by an order that leaves a gap.
import { type CheckContext, type Scenario, scenario } from '@faultline/bench/explore';
import { attachDomain, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { DEVICE, HWPT, makeAttached } from '../kit/iommu-start.ts';
import { attachDevice, detachDevice, HWPT_DOMAIN, routeDomain, unrouteDomain } from '../kit/iommufd.ts';

const GRPID = 7;
const ROUTE_LAST = 'the route after the handle';
const machine = new IommuSystem({ devices: 1, threads: 2 });

/** What an HWPT is connected with at its making, done once it is attached. */
function attachRouteLast({ machine: own, context }: IommuThread): void {
  const domain = own.words[context.objects.at(context.objects.get('', '', HWPT)) + HWPT_DOMAIN];
  unrouteDomain(own.system, own.routes, domain);
  attachDomain(own.system, 1, 0, domain);
  routeDomain(own.system, own.routes, domain, 0);
}

export const attachUnderFault: Scenario = scenario(import.meta.url, {
  name: '004/attach-under-fault',
  about: 'A device faults while it is attached: is the fault refused as before, or delivered as after?',
  seed: '001',
  source: 'iommufd/src/device/steps.ts, attachReally(); iommufd/src/hwpt/domains.ts, connectFaultQueue()',
  designs: { [ROUTE_LAST]: 'fails', 'the route first': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup: machine.setup((first) => {
    makeAttached(first);
    detachDevice(first.context, DEVICE); // its faults stay on
  }),
  threads: {
    vmm: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        if (design === ROUTE_LAST) attachRouteLast(me);
        else attachDevice(me.context, DEVICE, { ptId: HWPT });
      },
    },
    isr: {
      open: (context) => machine.open(context),
      run(_context, me: IommuThread) {
        me.fault({ grpid: GRPID });
      },
    },
  },
  check(context: CheckContext) {
    const me = machine.at(context);
    me.machine.answering(() => {
      const queue = me.queue();
      const cookie = queue.next();
      if (cookie !== 0) queue.respond(cookie, RESPONSE_SUCCESS);
    });
    machine.expectSettled(context);
    return answerOutcome(context, 1, GRPID);
  },
  outcomes: {
    'answered Invalid': 'acceptable', // before
    'answered Success': 'acceptable', // after
    'answered Failure': 'forbidden', // it found a domain that can fault, and nowhere to go
  },
});
