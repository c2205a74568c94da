// The hardware's thread: one pump that arbitrates the stall ports into the event queue and takes commands. Its actor is the
// command queue's.
import { type HostContext, queueLogic } from '@faultline/core/actor';
import { SmmuHardware } from '@faultline/hw/smmu-v3';
import { clockOf } from './clock.ts';
import { type HostData, ringOf } from './host-data.ts';
import { INTERRUPT_HOST } from './plan.ts';

const IDLE_POLL_MS = 0.5;

export default function setup(host: HostContext, data: HostData): void {
  const { arena } = host;
  const hardware = new SmmuHardware(arena.words, arena.base('smmu'), {
    ports: data.ports,
    irq: ringOf(arena, INTERRUPT_HOST),
    clock: clockOf(data.epochNs),
  });
  host.addPump({
    name: 'smmu',
    run: (budget) => hardware.pump(budget),
    hasWork: () => hardware.needsWork(),
  });
  host.addActor(
    'command-queue',
    queueLogic((on) => (on ? host.pumps.on('smmu') : host.pumps.off('smmu')), {
      acknowledgeOverflow: async () => {},
      drainQueue: async () => {
        while (hardware.needsWork()) await turn();
      },
    }),
  );
  // The hardware is on as soon as its host runs: the driver's set-up on the other host waits for it.
  host.send('command-queue', 'enable');
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, IDLE_POLL_MS));
}
