// The thread of the event queue's interrupt: the pump that reports, and the actors of the event queue, the devices and the
// domain. What an actor's state asks for is done here, between two batches of the pump.
import { deviceLogic, domainLogic, type HostContext, queueLogic } from '@faultline/core/actor';
import {
  allocDomain,
  attachDomain,
  domainSteps,
  freeDomain,
  HANDLER_NONE,
  HANDLER_NOOP,
  HANDLER_SVA,
  IopfSystem,
  openFaultPath,
  priOffSteps,
  replaceDomain,
  WorkSink,
} from '@faultline/core/iopf';
import type { IommuName } from '../scenario/parameters.ts';
import { clockOf } from './clock.ts';
import { openAmdInterrupt } from './family/amd.ts';
import { type OpenInterrupt, PASID } from './family/family.ts';
import { openSmmuInterrupt } from './family/smmu-v3.ts';
import { openVtdInterrupt } from './family/vtd.ts';
import { type HostData, ringOf } from './host-data.ts';
import { HARDWARE_HOST } from './plan.ts';

const OPEN: Record<IommuName, OpenInterrupt> = {
  'smmu-v3': openSmmuInterrupt,
  vtd: openVtdInterrupt,
  amd: openAmdInterrupt,
};
const MM = 1;

export default async function setup(host: HostContext, data: HostData): Promise<void> {
  const { arena, self } = host;
  const devices = Array.from({ length: data.devices }, (_, i) => i + 1);
  const system = new IopfSystem(arena, self, host.rcu);
  const iommu = OPEN[data.iommu](arena, {
    self,
    hardwareDoorbell: ringOf(arena, HARDWARE_HOST),
    clock: clockOf(data.epochNs),
    devices,
    spareIssuer: data.issuers,
  });
  const path = openFaultPath(data.generation, system, iommu.ops, new WorkSink(system));
  const control = iommu.control(path);
  const { pump } = control;
  const spec = { handler: data.noop ? HANDLER_NOOP : HANDLER_SVA, mm: MM };
  const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
  let current = allocDomain(system, spec);
  const stepsOf = (domain: number): ReturnType<typeof domainSteps> =>
    domainSteps({ system, path, domain, lightFlush: data.lightFlush, devices });

  host.addPump({ name: 'event-queue', run: (budget) => pump.pump(budget), hasWork: () => pump.needsWork() });
  host.addActor(
    'event-queue',
    queueLogic((on) => (on ? host.pumps.on('event-queue') : host.pumps.off('event-queue')), {
      acknowledgeOverflow: () => control.acknowledgeOverflow(),
      drainQueue: async () => {
        await control.disableQueue();
        while (pump.needsWork()) await turn();
      },
    }),
  );

  for (const device of devices) {
    const steps = priOffSteps({
      system,
      path,
      device,
      blockedDomain,
      pasids: [PASID],
      driver: {
        blockDevice: (each) => control.blockDevice(each),
        fenceEventQueue: () => control.fenceEvents(device),
        fenceResponses: () => control.fenceResponses(device),
        disablePri: (each) => control.disablePri(each),
      },
    });
    host.addActor(`device:${device}`, deviceLogic(steps));
  }

  host.addActor(
    'domain',
    domainLogic({
      // A fresh domain over the same address space takes the old one's place; the old one is drained and freed under load.
      lightFlush: async () => {
        const old = current;
        current = allocDomain(system, spec);
        for (const device of devices) replaceDomain(system, device, PASID, current);
        await stepsOf(old).lightFlush();
        await stepsOf(old).drainPending();
      },
      detachAll: () => stepsOf(current).detachAll(),
      drainPending: () => stepsOf(current).drainPending(),
    }),
  );

  // What the states of a device stand for is done as they are entered.
  const bound = new Set<string>();
  host.events.on('transition', ({ actor, state }) => {
    if (!actor.startsWith('device:')) return;
    const device = Number(actor.slice('device:'.length));
    if (state === 'bound') bound.add(actor);
    else if (state === 'attached' && bound.delete(actor)) attachDomain(system, device, PASID, current);
    else if (state === 'pri-enabled') path.addDevice(device);
  });
  host.events.on('stopping', () => {
    freeDomain(system, blockedDomain);
    path.close();
  });

  await control.enable();
  for (const device of devices) await control.attach(device);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
