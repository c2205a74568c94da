import type { AnyStateMachine, StateValue } from 'xstate';
import { IommuError } from '../errors/index.ts';
import { NameTable } from './name-table.ts';

/** The states of our machines, as dotted paths. A user's machines add theirs with `states` of ActorSystem.start. */
export const ACTOR_STATES = [
  'disabled',
  'enabled',
  'overflowed',
  'draining',
  'unbound',
  'bound',
  'attached',
  'pri-enabled',
  'draining.replacing-domain',
  'draining.fencing-event-queue',
  'draining.responding-pending',
  'draining.fencing-responses',
  'draining.disabling-pri',
  'draining.drained',
  'allocated',
  'replacing.light-flush',
  'replacing.flushed',
  'detaching',
  'freed',
] as const;

export function stateTable(own: readonly string[] = []): NameTable {
  return new NameTable('state', ACTOR_STATES, own);
}

/** `{ draining: 'disabling-pri' }` as `draining.disabling-pri`. */
export function statePath(value: StateValue): string {
  if (typeof value === 'string') return value;
  const [parent] = Object.keys(value);
  return `${parent}.${statePath(value[parent] as StateValue)}`;
}

/** @returns whether an actor in `state` is in `wanted`, which may name a parent state. */
export function isInState(state: string, wanted: string): boolean {
  return state === wanted || state.startsWith(`${wanted}.`);
}

/** Refuses a machine some of whose states could not be told to other threads.
 * @throws IommuError ENOENT a state is in no table; EOPNOTSUPP a parallel state, which is in several states at once. */
export function checkStates(machine: AnyStateMachine, states: NameTable): void {
  const look = (node: AnyStateMachine['root'], path: string): void => {
    if (node.type === 'parallel')
      throw new IommuError('EOPNOTSUPP', 'addActor', 'state', path || machine.id, 'parallel states have no one name');
    const children = Object.entries(node.states);
    if (children.length === 0 && !states.has(path))
      throw new IommuError('ENOENT', 'addActor', 'state', path, `of machine ${machine.id}: name it at start`);
    for (const [key, child] of children)
      if (child.type !== 'history') look(child, path === '' ? key : `${path}.${key}`);
  };
  look(machine.root, '');
}
