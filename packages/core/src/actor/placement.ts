import { checkInteger, IommuError } from '../errors/index.ts';

/** Where an actor lives: its id (from 1, the number that events carry) and its host's name. */
export interface ActorPlace {
  readonly id: number;
  readonly host: string;
}

/** Which actor is on which host: the same table on every thread. Hosts count from 1, in the order of their list. */
export class Placement {
  readonly hosts: readonly string[];
  readonly actors: Readonly<Record<string, ActorPlace>>;
  #ids: Map<string, number> = new Map();
  #names: string[] = [];
  #hostOf: number[] = [];

  /** @throws IommuError EINVAL an id out of range or given twice, a host named twice; ENOENT an actor's host is not in the list */
  constructor(hosts: readonly string[], actors: Readonly<Record<string, ActorPlace>>) {
    this.hosts = hosts;
    this.actors = actors;
    for (const name of hosts)
      if (hosts.indexOf(name) !== hosts.lastIndexOf(name))
        throw new IommuError('EINVAL', 'Placement', 'hosts', name, 'names two hosts');
    for (const [name, { id, host }] of Object.entries(actors)) {
      checkInteger('Placement', `actors.${name}.id`, id, 1, 65535);
      if (this.#names[id] !== undefined)
        throw new IommuError('EINVAL', 'Placement', `actors.${name}.id`, id, `is ${this.#names[id]}'s already`);
      if (!hosts.includes(host))
        throw new IommuError(
          'ENOENT',
          'Placement',
          `actors.${name}.host`,
          host,
          `no such host among ${hosts.join(', ')}`,
        );
      this.#ids.set(name, id);
      this.#names[id] = name;
      this.#hostOf[id] = hosts.indexOf(host) + 1;
    }
  }

  /** @param actor name or id. @throws IommuError ENOENT */
  id(actor: string | number): number {
    const id = typeof actor === 'string' ? this.#ids.get(actor) : actor;
    if (id === undefined || this.#names[id] === undefined)
      throw new IommuError('ENOENT', 'Placement.id', 'actor', actor, 'no such actor: place it at start');
    return id;
  }

  /** Context: `id` is one that {@link id} returned, or an event's. @returns '' for an id that names nobody. */
  name(id: number): string {
    return this.#names[id] ?? '';
  }

  /** @returns the number of the actor's host, 0 for an id that names nobody. */
  hostOf(id: number): number {
    return this.#hostOf[id] ?? 0;
  }

  /** @returns the names of a host's actors. */
  actorsOn(host: number): string[] {
    return Object.keys(this.actors).filter((name) => this.hostOf(this.id(name)) === host);
  }
}
