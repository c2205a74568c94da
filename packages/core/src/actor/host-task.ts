import { checkInteger, IommuError } from '../errors/index.ts';
import type { SharedArena } from '../memory/index.ts';
import type { ThreadSelf } from '../sync/index.ts';
import type { ActorPlace } from './placement.ts';

/** What a host is started with: one message, checked before anything is opened. */
export interface HostTask {
  /** The host's number, from 1: its place in `hosts`. */
  readonly host: number;
  readonly hosts: readonly string[];
  readonly actors: Readonly<Record<string, ActorPlace>>;
  readonly self: ThreadSelf;
  readonly arena: SharedArena;
  /** URL of the setup module. */
  readonly setup: string;
  readonly data: unknown;
  /** The user's event and state names. */
  readonly events: readonly string[];
  readonly states: readonly string[];
}

const CALL = 'parseHostTask';

/** @throws IommuError EINVAL naming the field that is wrong. What is inside arena, hosts and actors is checked where it is opened. */
export function parseHostTask(value: unknown): HostTask {
  const task = fields('task', value);
  const self = fields('self', task.self);
  checkNames('hosts', task.hosts);
  checkInteger(CALL, 'host', task.host as number, 1, (task.hosts as unknown[]).length);
  checkInteger(CALL, 'self.id', self.id as number, 1, 65535);
  checkInteger(CALL, 'self.spins', self.spins as number, 0, 2 ** 30);
  checkNames('events', task.events);
  checkNames('states', task.states);
  fields('actors', task.actors);
  if (!Array.isArray(fields('arena', task.arena).regions)) throw wrong('arena.regions', 'must be a list of regions');
  if (typeof task.setup !== 'string' || !URL.canParse(task.setup)) throw wrong('setup', 'must be a URL', task.setup);
  return task as unknown as HostTask;
}

function fields(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw wrong(field, 'must be an object', value);
  return value as Record<string, unknown>;
}

function checkNames(field: string, value: unknown): void {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string' && name !== ''))
    throw wrong(field, 'must be a list of names', value);
}

function wrong(field: string, why: string, value?: unknown): IommuError {
  return new IommuError('EINVAL', CALL, field, value, why);
}
