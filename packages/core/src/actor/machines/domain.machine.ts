import { assign, setup } from 'xstate';
import type { ProtocolMachine } from './protocol-machine.ts';
import { type Step, stepActors } from './step.ts';

export type DomainEvent = 'attach' | 'replace' | 'detach';

/** lightFlush: the groups of this domain alone have been handled. detachAll: no device or PASID finds it any more.
 * drainPending: its pending counter is zero, and a grace period has passed since. */
export const DOMAIN_STEPS = ['lightFlush', 'detachAll', 'drainPending'] as const;
export type DomainStep = (typeof DOMAIN_STEPS)[number];

const machine = setup({
  types: { context: {} as { detachAsked: boolean }, events: {} as { type: DomainEvent } },
  actors: stepActors('domain', DOMAIN_STEPS),
  guards: { detachAsked: ({ context }) => context.detachAsked },
}).createMachine({
  id: 'domain',
  initial: 'allocated',
  context: { detachAsked: false },
  states: {
    allocated: { on: { attach: 'attached' } },
    attached: { on: { replace: 'replacing', detach: 'detaching' } },
    replacing: {
      initial: 'light-flush',
      // Kept until the flush is over: leaving now would abandon a flush half way.
      on: { detach: { actions: assign({ detachAsked: true }) } },
      onDone: [{ guard: 'detachAsked', target: 'detaching' }, { target: 'attached' }],
      states: {
        'light-flush': { invoke: { src: 'lightFlush', onDone: 'flushed' } },
        flushed: { type: 'final' },
      },
    },
    detaching: { invoke: { src: 'detachAll', onDone: 'draining' } },
    draining: { invoke: { src: 'drainPending', onDone: 'freed' } },
    freed: { type: 'final' },
  },
}); // No onError: a domain that did not drain must not be freed, and stops the actor.

/** A domain, from allocated to freed. Each step rejects until {@link domainLogic} provides it. */
export const domainMachine: ProtocolMachine<DomainEvent> = machine;

/** The domain machine with its steps. A step left out stops the actor when it is reached. */
export function domainLogic(steps: Partial<Record<DomainStep, Step>>): ProtocolMachine<DomainEvent> {
  return machine.provide({ actors: stepActors('domain', DOMAIN_STEPS, steps) });
}
