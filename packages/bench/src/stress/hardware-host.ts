// The hardware's thread: one pump that arbitrates the fault ports into the IOMMU's queue and takes commands. Its actor is that of the
// queue that commands come in by.
import { type HostContext, queueLogic } from '@faultline/core/actor';
import { traceHardware } from '../perfetto/record/index.ts';
import type { IommuName } from '../scenario/parameters.ts';
import { clockOf } from './clock.ts';
import { openAmdHardware } from './family/amd.ts';
import type { OpenHardware } from './family/family.ts';
import { openSmmuHardware } from './family/smmu-v3.ts';
import { openVtdHardware } from './family/vtd.ts';
import { type HostData, ringOf } from './host-data.ts';
import { INTERRUPT_HOST } from './plan.ts';

const OPEN: Record<IommuName, OpenHardware> = {
  'smmu-v3': openSmmuHardware,
  vtd: openVtdHardware,
  amd: openAmdHardware,
};
const IDLE_POLL_MS = 0.5;

export default function setup(host: HostContext, data: HostData): void {
  const { arena } = host;
  const hardware = OPEN[data.iommu](arena, {
    ports: data.ports,
    irq: ringOf(arena, INTERRUPT_HOST),
    clock: clockOf(data.epochNs),
  });
  const { traces } = data;
  const pump =
    traces === undefined
      ? hardware
      : traceHardware(arena.words, traces, { clock: clockOf(data.epochNs), pump: hardware });
  host.addPump({
    name: 'iommu',
    run: (budget) => pump.pump(budget),
    hasWork: () => pump.needsWork(),
  });
  for (const { name, host: place } of data.queues) {
    if (place !== 'hardware') continue;
    host.addActor(
      name,
      queueLogic((on) => (on ? host.pumps.on('iommu') : host.pumps.off('iommu')), {
        acknowledgeOverflow: async () => {}, // software waits for room: it never overflows
        drainQueue: async () => {
          while (hardware.needsWork()) await turn();
        },
      }),
    );
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, IDLE_POLL_MS));
}
