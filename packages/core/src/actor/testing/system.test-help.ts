// For tests with real hosts: an arena with a few words of the tests' own, and a system over it.
import { Arena, planArena } from '../../memory/index.ts';
import { LINE } from '../../sync/index.ts';
import { actorRegions, initActorRegions } from '../actor-regions.ts';
import { ActorSystem } from '../actor-system.ts';
import type { ActorPlace } from '../placement.ts';
import type { ActorSystemOptions, HostSpec } from '../system-options.ts';
import type { EchoData } from './echo.test-setup.ts';

export const ECHO: URL = new URL('./echo.test-setup.ts', import.meta.url);
export const ECHO_EVENTS: readonly string[] = [
  'open',
  'close',
  'poke',
  'exit',
  'throw-in-timer',
  'throw-in-pump',
  'fill-memory',
  'hang',
];

export function testArena(hosts: number, entries: number): Arena {
  const arena = Arena.create(planArena([...actorRegions(hosts, entries), { name: 'test', words: LINE }]));
  initActorRegions(arena, hosts, entries);
  return arena;
}

/** A host with actors `<name>.door`, `<name>.queue` and `<name>.hand`. */
export function echoHost(name: string, id: number, badly?: EchoData['badly']): HostSpec {
  return { name, setup: ECHO, data: { prefix: `${name}.`, badly }, self: { id, spins: 0 } };
}

export function echoActors(...hosts: string[]): Record<string, ActorPlace> {
  const actors: Record<string, ActorPlace> = {};
  let id = 0;
  for (const host of hosts)
    for (const kind of ['door', 'queue', 'hand']) actors[`${host}.${kind}`] = { id: ++id, host };
  return actors;
}

export function startEcho(
  arena: Arena,
  hosts: readonly HostSpec[],
  more: Partial<ActorSystemOptions> = {},
): Promise<ActorSystem> {
  const actors = echoActors(...hosts.map(({ name }) => name));
  return ActorSystem.start({ arena, hosts, actors, events: ECHO_EVENTS, states: ['shut', 'ajar'], ...more });
}

/** Comes back to the event loop until `holds` does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
