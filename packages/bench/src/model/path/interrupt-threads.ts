import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine, Target } from '../engine/engine.ts';
import { Fifo } from '../engine/fifo.ts';
import type { Processors } from '../machine/processors.ts';
import { SLEEP, Thread } from '../machine/thread.ts';
import type { Hardware, Records } from '../workload/hardware.ts';
import type { FaultPath, Progress } from './fault-path.ts';
import type { Packet } from './packet.ts';
import type { WorkQueue } from './work-queue.ts';

/** The event queue and whoever takes from it. */
export class EventQueue implements Records, Target {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #processors: Processors;
  readonly #interruptNs: number;
  readonly #packets: Fifo<Packet> = new Fifo();
  readonly #entries: number;
  #used = 0; // records, those under way to the queue included
  #armed = false;
  threads: readonly InterruptThread[] = [];
  hardware: Hardware | undefined;

  constructor(engine: Engine, processors: Processors, config: ModelConfig) {
    this.#engine = engine;
    this.#id = engine.register(this);
    this.#processors = processors;
    this.#entries = config.queueEntries;
    this.#interruptNs = costOf(config.costs, 'hardware.interrupt');
  }

  room(): number {
    return this.#entries - this.#used;
  }

  push(packet: Packet): void {
    this.#used += packet.count;
    this.#packets.push(packet);
    if (this.#armed) return;
    this.#armed = true;
    this.#engine.schedule(this.#engine.now + this.#interruptNs, this.#id, 0);
  }

  fire(): void {
    this.#armed = false;
    let waiting = this.#packets.length;
    for (const thread of this.threads) {
      if (waiting <= 0) return;
      if (this.#processors.wake(thread)) waiting--;
    }
  }

  take(): Packet | undefined {
    if (this.#packets.length === 0) return undefined;
    const packet = this.#packets.take();
    packet.readAt = this.#engine.now;
    this.#used -= packet.count;
    this.hardware?.roomMade();
    return packet;
  }

  get length(): number {
    return this.#used;
  }
}

/** Takes records, reports them, and publishes groups by batches. */
export class InterruptThread extends Thread implements Progress {
  readonly #queue: EventQueue;
  readonly #path: FaultPath;
  readonly #work: WorkQueue;
  readonly #recordNs: number;
  readonly #batchNs: number;
  readonly #queueNs: number;
  readonly #sleepNs: number;
  #asleep = true;
  readonly #batch: number;
  readonly #inHand: Packet[] = [];
  #faults = 0; // in hand
  #reporting: Packet | undefined;
  progress = 0;

  constructor(config: ModelConfig, queue: EventQueue, path: FaultPath, work: WorkQueue) {
    super('interrupt', config.interruptRealTime);
    this.#queue = queue;
    this.#path = path;
    this.#work = work;
    this.#recordNs = costOf(config.costs, 'interrupt.record');
    this.#batchNs = costOf(config.costs, 'interrupt.batch');
    this.#queueNs = costOf(config.costs, 'work.queue');
    this.#sleepNs = costOf(config.costs, 'interrupt.sleep');
    this.#batch = config.interruptBatch;
  }

  step(now: number): number {
    if (this.#asleep && this.#sleepNs > 0) {
      this.#asleep = false;
      return this.#sleepNs;
    }
    let took = 0;
    if (this.#reporting === undefined) {
      if (this.#faults >= this.#batch) took += this.#publish(now);
      const packet = this.#queue.take();
      if (packet === undefined) {
        if (this.#faults > 0) return this.#publish(now);
        if (took > 0) return took;
        this.#asleep = true;
        return SLEEP;
      }
      this.#reporting = packet;
    }
    const packet = this.#reporting;
    const reported = this.#path.report(now + took, this, packet);
    if (reported === SLEEP) return SLEEP;
    this.#reporting = undefined;
    this.#inHand.push(packet);
    this.#faults += packet.count;
    return took + reported + this.#recordNs * packet.count + this.#queueNs * packet.groups;
  }

  /** @returns what waking handlers took. */
  #publish(now: number): number {
    let groups = 0;
    for (const packet of this.#inHand) {
      packet.queuedAt = now;
      groups += packet.groups;
      this.#work.push(packet);
    }
    const batches = Math.ceil(this.#faults / this.#batch);
    this.#inHand.length = 0;
    this.#faults = 0;
    // A batch wakes a handler for each of its groups that finds one asleep; with batches of many, the first few do.
    return this.#batchNs * batches + this.#work.publish(this.#batch === 1 ? groups : 0);
  }
}
