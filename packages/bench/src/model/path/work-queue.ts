import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine } from '../engine/engine.ts';
import { Fifo } from '../engine/fifo.ts';
import { Line } from '../machine/line.ts';
import type { Processors } from '../machine/processors.ts';
import type { Thread } from '../machine/thread.ts';
import type { Packet } from './packet.ts';

/** Groups that wait for a handler, the handlers that wait for groups, and the limit on how many may be at work. */
export class WorkQueue {
  readonly #engine: Engine;
  readonly #processors: Processors;
  readonly #wakeNs: number;
  readonly #packets: Fifo<Packet> = new Fifo();
  readonly #idle: Thread[] = [];
  readonly #maxActive: number;
  readonly #line: Line;
  #active = 0;
  #groups = 0;
  /** Time that all handlers together were at work, and since when how many are. */
  activeNs = 0;
  #since = 0;

  constructor(engine: Engine, processors: Processors, config: ModelConfig) {
    this.#engine = engine;
    this.#processors = processors;
    this.#wakeNs = costOf(config.costs, 'thread.wake');
    this.#line = new Line(costOf(config.costs, 'line.transfer'));
    const { adaptive, generation, processors: count } = config;
    const isBound = generation === 'adaptive' && adaptive.boundHandlersToProcessors;
    this.#maxActive = isBound ? Math.min(config.maxActive, count) : config.maxActive;
  }

  get length(): number {
    return this.#groups;
  }
  get lineNs(): number {
    return this.#line.busyNs;
  }

  push(packet: Packet): void {
    this.#packets.push(packet);
    this.#groups += packet.groups;
  }

  /** Wakes as many sleeping handlers as there are packets and the limit allows. @param groups that were pushed since the last
   * time: each of them would wake one, if it travelled alone. @returns what that took. */
  publish(groups: number): number {
    let woken = 0;
    let packets = this.#packets.length;
    for (; packets > 0 && this.#idle.length > 0 && this.#active < this.#maxActive; packets--) {
      const handler = this.#idle.pop() as Thread;
      this.enter();
      this.#processors.wake(handler);
      woken++;
    }
    if (woken > 0 && this.#idle.length > 0 && this.#active < this.#maxActive) woken = Math.max(woken, groups);
    return woken * this.#wakeNs;
  }

  /** A handler that has not been at work yet. */
  add(handler: Thread): void {
    this.#idle.push(handler);
  }

  /** A handler that has nothing to do sleeps; who slept last is woken first. */
  park(handler: Thread): void {
    this.leave();
    this.#idle.push(handler);
  }

  enter(): void {
    this.#count();
    this.#active++;
  }
  leave(): void {
    this.#count();
    this.#active--;
  }
  #count(): void {
    const { now } = this.#engine;
    this.activeNs += this.#active * (now - this.#since);
    this.#since = now;
  }
  /** Counts the time up to now. */
  settle(): void {
    this.#count();
  }

  take(): Packet | undefined {
    if (this.#packets.length === 0) return undefined;
    const packet = this.#packets.take();
    packet.takenAt = this.#engine.now;
    this.#groups -= packet.groups;
    return packet;
  }

  /** What the ring's index on its way takes a handler. */
  transfer(now: number, cpu: number, groups: number): number {
    return this.#line.touch(now, cpu, groups, 1);
  }
}
