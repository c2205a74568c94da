import { NameTable } from './name-table.ts';

/** Taken by a host itself (actor 0), never by an actor. */
export const EVENT_STOP = 1;
/** Sent by a host (actor 0) to the main thread: its setup is done, events are taken. */
export const EVENT_READY = 2;

const HOST_EVENTS = ['host.stop', 'host.ready'] as const;

/** The events of our machines. A user's machines add theirs with `events` of ActorSystem.start. */
export const ACTOR_EVENTS = [
  'enable',
  'overflow',
  'disable',
  'bind',
  'unbind',
  'attach',
  'detach',
  'enable-pri',
  'disable-pri',
  'replace',
] as const;

/** The table of one system: our events, then the user's, in the order in which they were given. */
export function eventTable(own: readonly string[] = []): NameTable {
  return new NameTable('event', [...HOST_EVENTS, ...ACTOR_EVENTS], own);
}
