import { setup } from 'xstate';
import type { ProtocolMachine } from './protocol-machine.ts';
import { type Step, stepActors } from './step.ts';

export type QueueEvent = 'enable' | 'overflow' | 'disable';

export const QUEUE_STEPS = ['acknowledgeOverflow', 'drainQueue'] as const;
export type QueueStep = (typeof QUEUE_STEPS)[number];

const machine = setup({
  types: { events: {} as { type: QueueEvent } },
  actors: stepActors('queue', QUEUE_STEPS),
  actions: {
    startPump: () => noPump('startPump'),
    stopPump: () => noPump('stopPump'),
  },
}).createMachine({
  id: 'queue',
  initial: 'disabled',
  states: {
    // The only state in which the pump rests: an overflowed or draining queue is emptied by it too.
    disabled: { exit: 'startPump', on: { enable: 'enabled' } },
    enabled: { on: { overflow: 'overflowed', disable: 'draining' } },
    // Emptied, then acknowledged: hardware writes again only after that.
    overflowed: { invoke: { src: 'acknowledgeOverflow', onDone: 'enabled' }, on: { disable: 'draining' } },
    // The hardware writes no more; what it wrote is taken out.
    draining: { exit: 'stopPump', invoke: { src: 'drainQueue', onDone: 'disabled' } },
  },
}); // No onError: a queue that did not drain is a bug, and stops the actor.

function noPump(action: string): never {
  throw new Error(`queue.machine: action not provided: ${action}`);
}

/** A hardware event or page request queue. Steps and pump switch must come from {@link queueLogic}.
 * @see Arm SMMUv3 7.4, event queue overflow */
export const queueMachine: ProtocolMachine<QueueEvent> = machine;

/** The queue machine with its steps and its pump, which runs in every state but disabled.
 * @param switchPump called with true on leaving disabled and with false when drained. */
export function queueLogic(
  switchPump: (on: boolean) => void,
  steps: Partial<Record<QueueStep, Step>>,
): ProtocolMachine<QueueEvent> {
  return machine.provide({
    actors: stepActors('queue', QUEUE_STEPS, steps),
    actions: { startPump: () => switchPump(true), stopPump: () => switchPump(false) },
  });
}
