import { IommuError } from '../errors/index.ts';

/** A piece of the data plane that a host runs while an actor's state has it switched on. A plain function over typed arrays. */
export interface Pump {
  readonly name: string;
  /** Moves up to `budget` items, never waits. Nothing that RCU protects is held when it returns. @returns how many it moved. */
  run(budget: number): number;
  /** @returns whether {@link run} would move anything now. The host sleeps only while all say no; whoever makes it true from
   * another thread rings the host's doorbell afterwards. */
  hasWork(): boolean;
}

/** A host's pumps. */
export class PumpSet {
  #pumps: Map<string, Pump> = new Map();
  #active: readonly Pump[] = [];
  #wake: () => void;

  /** @param wake rouses the host: a pump may be switched on by a timer, while its host sleeps. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Those that are on. A new array on each change, so that a pump may switch pumps while the host walks them. */
  get active(): readonly Pump[] {
    return this.#active;
  }

  /** Makes a pump known, switched off. @throws IommuError EBUSY the name is taken */
  add(pump: Pump): void {
    if (this.#pumps.has(pump.name))
      throw new IommuError('EBUSY', 'PumpSet.add', 'name', pump.name, 'names another pump of this host');
    this.#pumps.set(pump.name, pump);
  }

  /** Switches a pump on. A second time changes nothing. @throws IommuError ENOENT */
  on(name: string): void {
    const pump = this.#find('PumpSet.on', name);
    if (this.#active.includes(pump)) return;
    this.#active = [...this.#active, pump];
    this.#wake();
  }

  /** Switches a pump off: it is not run again, and not finished either. @throws IommuError ENOENT */
  off(name: string): void {
    const pump = this.#find('PumpSet.off', name);
    this.#active = this.#active.filter((other) => other !== pump);
  }

  isOn(name: string): boolean {
    return this.#active.includes(this.#find('PumpSet.isOn', name));
  }

  /** @returns whether a pump that is on has work. */
  hasWork(): boolean {
    for (const pump of this.#active) if (pump.hasWork()) return true;
    return false;
  }

  #find(call: string, name: string): Pump {
    const pump = this.#pumps.get(name);
    if (pump === undefined)
      throw new IommuError('ENOENT', call, 'name', name, `no such pump among ${[...this.#pumps.keys()].join(', ')}`);
    return pump;
  }
}
