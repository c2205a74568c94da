// The thread of the IOMMU's interrupt: the pump that reports, and the actors of the queues that it takes records from, of the devices and
// of the domain. What an actor's state asks for is done here, between two batches of the pump.
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceLogic, domainLogic, type HostContext } from '@faultline/core/actor';
import {
  allocDomain,
  attachDomain,
  type DomainSpec,
  domainSteps,
  freeDomain,
  HANDLER_CONSUMER,
  HANDLER_NONE,
  HANDLER_NOOP,
  HANDLER_SVA,
  IopfSystem,
  openFaultPath,
  priOffSteps,
  replaceDomain,
  WorkSink,
} from '@faultline/core/iopf';
import { grantPlaces } from '@faultline/hw/accelerator';
import { traceInterrupt } from '../perfetto/record/index.ts';
import { recordRequests } from '../replay/record/recording-reporter.ts';
import { takeAttachOrders } from '../replay/run/attach-orders.ts';
import type { HandlerName, IommuName } from '../scenario/parameters.ts';
import { clockOf } from './clock.ts';
import { openAmdInterrupt } from './family/amd.ts';
import { type OpenInterrupt, PASID } from './family/family.ts';
import { openSmmuInterrupt } from './family/smmu-v3.ts';
import { openVtdInterrupt } from './family/vtd.ts';
import { type HostData, ringOf } from './host-data.ts';
import { orFail } from './or-fail.ts';
import { HARDWARE_HOST } from './plan.ts';
import { addQueueActors } from './queue-actors.ts';
import { Stamps } from './stages/stamps.ts';
import { StampingReporter, StampingSink } from './stages/wrap.ts';
import { TallyOps, TallyReporter, tallyOwnAnswers } from './tally.ts';
import { beginAll } from './translation-ledger.ts';
import { faultsOf, noUserSpace } from './user-space/faults.ts';
import { openMachine } from './user-space/machine.ts';

const OPEN: Record<IommuName, OpenInterrupt> = {
  'smmu-v3': openSmmuInterrupt,
  vtd: openVtdInterrupt,
  amd: openAmdInterrupt,
};
const MM = 1;
const SPECS: Record<HandlerName, DomainSpec> = {
  sva: { handler: HANDLER_SVA, mm: MM },
  noop: { handler: HANDLER_NOOP },
  iommufd: { handler: HANDLER_CONSUMER },
};
const MAILBOX_FULL_MS = 1;

export default async function setup(host: HostContext, data: HostData): Promise<void> {
  const { arena, self } = host;
  const devices = Array.from({ length: data.devices }, (_, i) => i + 1);
  const system = new IopfSystem(arena, self, host.rcu);
  const opened = OPEN[data.iommu](arena, {
    self,
    hardwareDoorbell: ringOf(arena, HARDWARE_HOST),
    clock: clockOf(data.epochNs),
    devices,
    hostile: data.hostile,
    onOwnAnswer: data.hostile === 0 ? undefined : tallyOwnAnswers(arena, self.id),
    spareIssuer: data.issuers,
  });
  const iommu = data.recordsRequests ? recordRequests(opened, arena, clockOf(data.epochNs)) : opened;
  const ops = data.hostile === 0 ? iommu.ops : new TallyOps(iommu.ops, arena, self.id, data.hostile);
  const machine =
    data.handler === 'iommufd' ? openMachine(arena, { system, ops, generation: data.generation }) : undefined;
  const stamps = data.stamps === undefined ? undefined : new Stamps(arena, data.stamps, clockOf(data.epochNs));
  const work = new WorkSink(system);
  const path =
    machine?.path ??
    openFaultPath(data.generation, system, ops, stamps === undefined ? work : new StampingSink(work, system, stamps));
  grantPlaces(arena.words, arena.base('admission'), path.admitsJobs ? data.places : 0);
  const faults = machine === undefined ? noUserSpace : faultsOf(machine, devices);
  const reporter = data.tallied ? new TallyReporter(path, arena, self.id, data.hostile) : path;
  const stamped = stamps === undefined ? reporter : new StampingReporter(reporter, stamps);
  const traced = data.traces && traceInterrupt(system, data.traces, { ...data, clock: clockOf(data.epochNs), path });
  const control = traced?.control(iommu.control(traced.reporter(stamped))) ?? iommu.control(stamped);
  const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
  const makeDomain = (): number => {
    const domain = allocDomain(system, SPECS[data.handler]);
    faults.route(domain);
    return domain;
  };
  let current = makeDomain();
  const stepsOf = (domain: number): ReturnType<typeof domainSteps> =>
    domainSteps({ system, path, domain, lightFlush: data.lightFlush, devices });
  const queues = addQueueActors(host, data.queues, control);

  const pasids = devices.map(() => [PASID]);
  for (const device of devices) {
    const steps = priOffSteps({
      system,
      path,
      device,
      blockedDomain,
      pasids: pasids[device - 1],
      driver: {
        blockDevice: (each) => control.blockDevice(each),
        fenceEventQueue: () => control.fenceEvents(device),
        fenceResponses: () => control.fenceResponses(device),
        disablePri: (each) => control.disablePri(each),
      },
    });
    const respondPending = async (): Promise<void> => {
      await steps.respondPending();
      faults.endDevice(device);
    };
    host.addActor(`device:${device}`, deviceLogic({ ...steps, respondPending }));
  }

  const { ledger } = data;
  const attached = new Set<number>();
  // What the devices keep of the old domain goes with it.
  const invalidateAll = async (): Promise<void> => {
    if (ledger === undefined) return;
    const end = beginAll(arena.words, ledger);
    await control.invalidateCaches([...attached]);
    end();
  };
  host.addActor(
    'domain',
    domainLogic({
      // A fresh domain over the same address space takes the old one's place; the old one is drained and freed under load.
      lightFlush: async () => {
        const old = current;
        current = makeDomain();
        for (const device of attached) replaceDomain(system, device, PASID, current);
        await invalidateAll();
        await stepsOf(old).lightFlush();
        faults.endDomain(old);
        await stepsOf(old).drainPending();
      },
      detachAll: async () => {
        await stepsOf(current).detachAll();
        faults.endDomain(current);
      },
      drainPending: () => stepsOf(current).drainPending(),
    }),
  );

  // What the states of a device stand for is done as they are entered. PRI is on, in the hardware too, before the state says so.
  let up = 0;
  const bringUp = async (device: number): Promise<void> => {
    await queues.enabled();
    await control.attach(device);
    up++;
    while (!host.send(`device:${device}`, 'enable-pri')) await sleep(MAILBOX_FULL_MS);
  };
  const bound = new Set<string>();
  host.events.on('transition', ({ actor, state }) => {
    if (!actor.startsWith('device:')) return;
    const device = Number(actor.slice('device:'.length));
    if (state === 'bound') bound.add(actor);
    else if (state === 'draining.replacing-domain') attached.delete(device);
    else if (state === 'attached' && bound.delete(actor)) {
      attachDomain(system, device, PASID, current);
      path.addDevice(device);
      attached.add(device);
      orFail(host, actor, state, bringUp(device));
    }
  });
  if (data.takesAttachOrders)
    takeAttachOrders(
      host,
      () => attached.size === devices.length && up === devices.length,
      async (device, pasid) => {
        attachDomain(system, device, pasid, current);
        pasids[device - 1].push(pasid);
        await control.attachPasid?.(device, pasid);
      },
    );
  host.events.on('stopping', () => {
    freeDomain(system, blockedDomain);
    path.close();
  });
}
