// Page request groups that arrive from elsewhere, as a trace has them, in place of jobs: no device threads, no user threads, no page
// scanner. A group arrives with its last request; all its pages are absent, and are populated.
import type { ModelConfig } from './config.ts';
import type { Packet } from './path/packet.ts';
import { withoutSuspects } from './suspects.ts';
import { Jobs } from './workload/jobs.ts';
import { World } from './world.ts';

/** Jobs that nobody does: packets have pages of their device's area in turn. */
export class ArrivingGroups extends Jobs {
  waiting = 0; // pages without an answer
  groups = 0; // that were answered
  areaPages = 1;
  onGroup: (ns: number) => void = () => {};

  override pageOf(packet: Packet, fault: number): number {
    return packet.thread * this.areaPages + ((packet.first + fault) % this.areaPages);
  }

  override resume(packet: Packet, now: number): boolean {
    this.waiting -= packet.count;
    this.groups++;
    this.onGroup(now - packet.postedAt);
    super.resume(packet, now);
    return false; // nobody goes on
  }
}

/** A simulation that is fed. */
export class Arrivals {
  readonly #world: World;
  readonly #jobs: ArrivingGroups;
  readonly #next: Int32Array; // by device, the page that is due next
  readonly #most: number;
  /** Groups that had to wait, as so many pages were without an answer. */
  held = 0;

  /** @param config its threads are the devices. @param most pages without an answer at once, of all devices.
   * @param onGroup told each answered group's latency, in nanoseconds. */
  constructor(config: ModelConfig, seed: number, most: number, onGroup: (ns: number) => void) {
    const { loadSteps: _, ...plain } = withoutSuspects(config);
    const world = new World({ ...plain, scanner: { kind: 'none' } }, seed, undefined, ArrivingGroups);
    this.#world = world;
    this.#jobs = world.jobs as ArrivingGroups;
    this.#jobs.areaPages = config.windows * config.pagesPerJob;
    this.#jobs.onGroup = onGroup;
    this.#next = new Int32Array(config.threads);
    this.#most = most;
    world.onAnswered = () => world.engine.stop();
  }

  /** Virtual time in nanoseconds. */
  get now(): number {
    return this.#world.engine.now;
  }
  get events(): number {
    return this.#world.engine.events;
  }
  get answered(): number {
    return this.#jobs.groups;
  }

  /** A group arrives: at `atNs`, or as soon as it may. @param atNs 0: at once. @param device from 0. */
  arrive(atNs: number, device: number, pages: number): void {
    const { engine, hardware, memory } = this.#world;
    while (engine.now < atNs) engine.run(atNs); // stopped at each answer
    if (this.#jobs.waiting > 0 && this.#jobs.waiting + pages > this.#most) {
      this.held++;
      this.#runUntil(this.#most - pages);
    }
    const packet = this.#jobs.packets.take();
    packet.thread = device;
    packet.device = device;
    packet.first = this.#next[device];
    packet.count = pages;
    packet.groups = 1;
    packet.postedAt = engine.now;
    this.#next[device] = (packet.first + pages) % this.#jobs.areaPages;
    memory.absent(packet);
    this.#jobs.waiting += pages;
    hardware.post(packet);
    hardware.publish(); // wakes a hardware that is a thread
  }

  /** Lets all be answered. */
  finish(): void {
    this.#runUntil(0);
  }

  #runUntil(waiting: number): void {
    const { engine } = this.#world;
    while (this.#jobs.waiting > Math.max(0, waiting)) {
      engine.run(Infinity);
      if (engine.now === Infinity) throw new Error(`Arrivals: ${this.#jobs.waiting} pages are never answered`);
    }
  }
}
