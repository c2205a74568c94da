import { costOf } from '../costs/schema.ts';
import { POLL, SLEEP } from '../machine/thread.ts';
import type { ProcessParts } from './device-thread.ts';
import { ProcessThread } from './process-thread.ts';

const BETWEEN = 0;
const DISCARD = 1;
const SUBMIT = 2;
const SUBMITTED = 3;
const WAIT = 4;

/** What a user thread submits jobs to. */
export interface Accelerator {
  start(index: number): void;
}

/** A thread that submits jobs to a device, one after the other, and polls or sleeps until each is done. */
export class UserThread extends ProcessThread {
  readonly #index: number;
  readonly #parts: ProcessParts;
  readonly #accelerator: Accelerator;
  readonly #submitNs: number;
  readonly #callNs: number;
  #state = BETWEEN;
  /** Set by the device. */
  isDone = false;

  constructor(index: number, parts: ProcessParts, accelerator: Accelerator) {
    super(parts.memory.lock);
    this.#index = index;
    this.#parts = parts;
    this.#accelerator = accelerator;
    this.#submitNs = costOf(parts.config.costs, 'job.submit');
    this.#callNs = costOf(parts.config.costs, 'notifier.call');
  }

  protected run(now: number): number {
    const scanned = this.#parts.scanner.pass(now, this);
    if (scanned > 0) return scanned;
    switch (this.#state) {
      case BETWEEN: {
        if (!this.#parts.load.mayBegin(this.#index, this)) return SLEEP;
        const isRound = this.#parts.jobs.nextWindow(this.#index);
        this.#state = isRound && this.#parts.config.buffers !== 'keep' ? DISCARD : SUBMIT;
        return this.run(now);
      }
      case DISCARD: {
        const took = this.#parts.memory.discard(now, this, this.#index);
        if (took === SLEEP) return SLEEP;
        this.#state = SUBMIT;
        return took + this.#callNs + this.#parts.hardware.invalidate(this);
      }
      case SUBMIT:
        this.#state = SUBMITTED;
        return this.#submitNs + this.#parts.memory.hint(this.#index);
      case SUBMITTED:
        this.#state = WAIT;
        this.isDone = false;
        this.#accelerator.start(this.#index);
        return this.run(now);
      default:
        if (!this.isDone) return this.#parts.config.jobWait === 'poll' ? POLL : SLEEP;
        this.#state = BETWEEN;
        this.#parts.load.end(this.#index);
        return this.run(now);
    }
  }
}
