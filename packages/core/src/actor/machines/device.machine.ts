import { setup } from 'xstate';
import type { ProtocolMachine } from './protocol-machine.ts';
import { type Step, stepActors } from './step.ts';

export type DeviceEvent = 'bind' | 'unbind' | 'attach' | 'detach' | 'enable-pri' | 'disable-pri';

/** What PRI-off does, in this order. */
export const DEVICE_STEPS = [
  'replaceDomain',
  'fenceEventQueue',
  'respondPending',
  'fenceResponses',
  'disablePri',
] as const;
export type DeviceStep = (typeof DEVICE_STEPS)[number];

const machine = setup({
  types: { events: {} as { type: DeviceEvent } },
  actors: stepActors('device', DEVICE_STEPS),
}).createMachine({
  id: 'device',
  initial: 'unbound',
  states: {
    unbound: { on: { bind: 'bound' } },
    bound: { on: { attach: 'attached', unbind: 'unbound' } },
    attached: { on: { 'enable-pri': 'pri-enabled', detach: 'bound' } },
    // No detach here: PRI is left through draining alone.
    'pri-enabled': { on: { 'disable-pri': 'draining' } },
    // The order is the invariant: a source of faults is closed before what it filled is emptied.
    draining: {
      initial: 'replacing-domain',
      onDone: 'attached',
      states: {
        // No new group finds a handler.
        'replacing-domain': { invoke: { src: 'replaceDomain', onDone: 'fencing-event-queue' } },
        // No older report is still under way.
        'fencing-event-queue': { invoke: { src: 'fenceEventQueue', onDone: 'responding-pending' } },
        // Each pending group is answered Invalid and void: a late handler's answer is a no-op.
        'responding-pending': { invoke: { src: 'respondPending', onDone: 'fencing-responses' } },
        // The device has every answer.
        'fencing-responses': { invoke: { src: 'fenceResponses', onDone: 'disabling-pri' } },
        'disabling-pri': { invoke: { src: 'disablePri', onDone: 'drained' } },
        drained: { type: 'final' },
      },
    },
  },
}); // No onError: a fence that did not fence is a bug, and stops the actor.

/** A device, from unbound to pri-enabled and back. Each step of draining rejects until {@link deviceLogic} provides it.
 * @see Linux drivers/iommu/io-pgfault.c, iopf_queue_remove_device(); VT-d drain_pasid_prq */
export const deviceMachine: ProtocolMachine<DeviceEvent> = machine;

/** The device machine with its steps. A step left out stops the actor when it is reached. */
export function deviceLogic(steps: Partial<Record<DeviceStep, Step>>): ProtocolMachine<DeviceEvent> {
  return machine.provide({ actors: stepActors('device', DEVICE_STEPS, steps) });
}
