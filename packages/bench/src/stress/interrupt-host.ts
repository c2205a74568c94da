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
import { EventPump, SmmuDriver, SmmuOps } from '@faultline/hw/smmu-v3';
import { type HostData, ringOf } from './host-data.ts';
import { HARDWARE_HOST } from './plan.ts';

const COMMAND_QUEUE = 0;
const MM = 1;

export default async function setup(host: HostContext, data: HostData): Promise<void> {
  const { arena, self } = host;
  const { words } = arena;
  const smmu = arena.base('smmu');
  const hardwareDoorbell = ringOf(arena, HARDWARE_HOST);
  const system = new IopfSystem(arena, self, host.rcu);
  const ops = new SmmuOps(words, smmu, COMMAND_QUEUE, { hardwareDoorbell });
  const driver = new SmmuDriver(words, smmu, { ops, hardwareDoorbell });
  const path = openFaultPath(data.generation, system, ops, new WorkSink(system));
  const pump = new EventPump(words, smmu, { reporter: path, ops });
  const spec = { handler: data.noop ? HANDLER_NOOP : HANDLER_SVA, mm: MM };
  const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
  const devices = Array.from({ length: data.devices }, (_, i) => i + 1);
  let current = allocDomain(system, spec);
  const stepsOf = (domain: number): ReturnType<typeof domainSteps> =>
    domainSteps({ system, path, domain, lightFlush: data.lightFlush, devices });

  host.addPump({ name: 'event-queue', run: (budget) => pump.pump(budget), hasWork: () => pump.needsWork() });
  host.addActor(
    'event-queue',
    queueLogic((on) => (on ? host.pumps.on('event-queue') : host.pumps.off('event-queue')), {
      acknowledgeOverflow: () => driver.fenceEventQueue(),
      drainQueue: async () => {
        await driver.disableEventQueue();
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
      pasids: [data.pasid],
      driver: {
        blockDevice: (each) => driver.blockStream(each),
        fenceEventQueue: () => driver.fenceEventQueue(),
        fenceResponses: async () => {
          ops.flushResponses();
          await driver.fenceCommands();
        },
        disablePri: (each) => driver.detachStream(each),
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
        for (const device of devices) replaceDomain(system, device, data.pasid, current);
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
    else if (state === 'attached' && bound.delete(actor)) attachDomain(system, device, data.pasid, current);
    else if (state === 'pri-enabled') path.addDevice(device);
  });
  host.events.on('stopping', () => {
    freeDomain(system, blockedDomain);
    path.close();
  });

  await driver.enable();
  for (const device of devices) await driver.attachStream(device, device, { stall: true, substreams: data.substreams });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
