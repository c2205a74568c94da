import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import { SLEEP } from '../machine/thread.ts';
import type { Packet } from '../path/packet.ts';
import type { Hardware } from './hardware.ts';
import type { Jobs } from './jobs.ts';
import type { Load } from './load.ts';
import type { Memory } from './memory.ts';
import { ProcessThread } from './process-thread.ts';
import type { Scanner } from './scanner.ts';

/** What threads of the process work with. */
export interface ProcessParts {
  readonly config: ModelConfig;
  readonly jobs: Jobs;
  readonly memory: Memory;
  readonly hardware: Hardware;
  readonly scanner: Scanner;
  readonly load: Load;
}

const BETWEEN = 0;
const DISCARD = 1;
const BEGIN = 2;
const TOUCH = 3;
const POST = 4;
const WAIT = 5;

/** A device that is a thread on the processors: it touches pages itself, and sleeps while it has stalls. */
export class DeviceThread extends ProcessThread {
  readonly #index: number;
  readonly #parts: ProcessParts;
  readonly #touchNs: number;
  readonly #postNs: number;
  readonly #collectNs: number;
  readonly #roundNs: number;
  readonly #callNs: number;
  readonly #wakeNs: number;
  readonly #computeNs: number;
  #state = BETWEEN;
  #isFirst = true; // no round of this pass has waited
  #collected = 0;

  constructor(index: number, parts: ProcessParts) {
    super(parts.memory.lock);
    const { costs, jobComputeNs } = parts.config;
    this.#index = index;
    this.#parts = parts;
    this.#touchNs = costOf(costs, 'device.touch');
    this.#postNs = costOf(costs, 'device.post');
    this.#collectNs = costOf(costs, 'device.collect');
    this.#roundNs = costOf(costs, 'device.round');
    this.#callNs = costOf(costs, 'notifier.call');
    this.#wakeNs = costOf(costs, 'thread.wake');
    this.#computeNs = jobComputeNs;
  }

  protected run(now: number): number {
    switch (this.#state) {
      case BETWEEN:
        return this.#between(now);
      case DISCARD:
        return this.#discard(now);
      case BEGIN:
        this.#parts.jobs.begin(this.#index, now);
        return this.#touch(now);
      case TOUCH:
        return this.#touch(now);
      case POST:
        return this.#post(now);
      default:
        if (this.#parts.jobs.isWaiting(this.#index)) return SLEEP;
        return this.#touch(now);
    }
  }

  #between(now: number): number {
    const scanned = this.#parts.scanner.pass(now, this);
    if (scanned > 0) return scanned;
    if (!this.#parts.load.mayBegin(this.#index, this)) return SLEEP;
    const isRound = this.#parts.jobs.nextWindow(this.#index);
    this.#state = isRound && this.#parts.config.buffers !== 'keep' ? DISCARD : BEGIN;
    return this.run(now);
  }

  #discard(now: number): number {
    const took = this.#parts.memory.discard(now, this, this.#index);
    if (took === SLEEP) return SLEEP;
    this.#state = BEGIN;
    return took + this.#callNs + this.#parts.hardware.invalidate(this);
  }

  /** What the round before brought is taken, what is left is touched. The step after it posts what is absent. */
  #touch(now: number): number {
    const { jobs, scanner } = this.#parts;
    const { config } = this.#parts;
    if (!this.#isFirst && jobs.isTooOld(this.#index, now)) return this.#end(now, false);
    const collected = this.#collected * this.#collectNs;
    this.#collected = 0;
    const took = this.#roundNs + collected + jobs.access(this.#index) * this.#touchNs;
    this.#state = POST;
    if (jobs.left(this.#index) > 0) return took + (config.scanner.kind === 'none' ? 0 : scanner.pass(now, this));
    this.#isFirst = true;
    if (jobs.endPass(this.#index)) {
      this.#end(now, true);
      return took + this.#computeNs;
    }
    jobs.beginPass(this.#index, now);
    this.#state = TOUCH;
    return took + this.#computeNs;
  }

  #post(now: number): number {
    const { jobs, hardware } = this.#parts;
    const posted = jobs.stall(this.#index, now, (packet: Packet) => hardware.post(packet));
    this.#collected = posted;
    this.#isFirst = false;
    this.#state = WAIT;
    return posted * this.#postNs + (hardware.publish() ? this.#wakeNs : 0);
  }

  #end(now: number, isDone: boolean): number {
    this.#isFirst = true;
    this.#collected = 0;
    this.#parts.jobs.end(this.#index, now, isDone);
    this.#parts.load.end(this.#index);
    this.#state = BETWEEN;
    return 0;
  }
}
