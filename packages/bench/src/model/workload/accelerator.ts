import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine, Target } from '../engine/engine.ts';
import { Fifo } from '../engine/fifo.ts';
import type { Processors } from '../machine/processors.ts';
import type { Hardware } from './hardware.ts';
import type { Jobs } from './jobs.ts';
import type { Accelerator, UserThread } from './user-thread.ts';

const TOUCHED = 0;
const COMPUTED = 1;

/** A device that takes no processor. A job's accesses are issued together at each pass; once all are done, an engine works on it. */
export class FabricAccelerator implements Accelerator, Target {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #processors: Processors;
  readonly #jobs: Jobs;
  readonly #touchNs: number;
  readonly #computeNs: number;
  readonly #engines: number;
  readonly #ready: Fifo<number> = new Fifo(); // jobs that wait for an engine
  readonly #isFirst: Uint8Array;
  #computing = 0;
  hardware: Hardware | undefined;
  threads: readonly UserThread[] = [];

  constructor(engine: Engine, processors: Processors, config: ModelConfig, jobs: Jobs) {
    this.#engine = engine;
    this.#id = engine.register(this);
    this.#processors = processors;
    this.#jobs = jobs;
    this.#touchNs = costOf(config.costs, 'device.touch');
    this.#computeNs = config.jobComputeNs;
    this.#engines = config.deviceEngines === 0 ? config.threads : config.deviceEngines;
    this.#isFirst = new Uint8Array(config.threads);
  }

  start(index: number): void {
    this.#jobs.begin(index, this.#engine.now);
    this.#isFirst[index] = 1;
    this.goOn(index);
  }

  /** All accesses of the round can be tried again. */
  goOn(index: number): void {
    const { now } = this.#engine;
    if (this.#isFirst[index] === 0 && this.#jobs.isTooOld(index, now)) {
      this.#end(index, false);
      return;
    }
    const looked = this.#jobs.access(index);
    this.#engine.schedule(now + looked * this.#touchNs, this.#id, index * 2 + TOUCHED);
  }

  fire(arg: number): void {
    const index = arg >> 1;
    if ((arg & 1) === TOUCHED) this.#touched(index);
    else this.#computed(index);
  }

  #touched(index: number): void {
    if (this.#jobs.left(index) > 0) {
      this.#isFirst[index] = 0;
      this.#jobs.stall(index, this.#engine.now, (packet) => this.hardware?.post(packet));
      return;
    }
    this.#ready.push(index);
    this.#compute();
  }

  #compute(): void {
    while (this.#computing < this.#engines && this.#ready.length > 0) {
      this.#computing++;
      this.#engine.schedule(this.#engine.now + this.#computeNs, this.#id, this.#ready.take() * 2 + COMPUTED);
    }
  }

  #computed(index: number): void {
    this.#computing--;
    this.#compute();
    if (this.#jobs.endPass(index)) {
      this.#end(index, true);
      return;
    }
    this.#jobs.beginPass(index, this.#engine.now);
    this.#isFirst[index] = 1;
    this.goOn(index);
  }

  #end(index: number, isDone: boolean): void {
    this.#jobs.end(index, this.#engine.now, isDone);
    const thread = this.threads[index];
    thread.isDone = true;
    this.#processors.poke(thread);
    this.#processors.wake(thread);
  }
}
