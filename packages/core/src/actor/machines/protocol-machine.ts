import type { StateMachine } from 'xstate';

// What xstate infers from a configuration and nobody outside it reads. It has no exported name there, hence any.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Inferred = any;

/** A machine of ours as its users see it: the events it takes are typed, how it is made inside is not their concern. */
export type ProtocolMachine<EventType extends string> = StateMachine<
  Inferred,
  { type: EventType },
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred,
  Inferred
>;
