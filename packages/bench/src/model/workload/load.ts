import type { ModelConfig } from '../config.ts';
import type { Engine, Target } from '../engine/engine.ts';
import type { Processors } from '../machine/processors.ts';
import type { Thread } from '../machine/thread.ts';

/** Which device threads may begin a job: those that the load asks for, and no more at once than there are credits for. */
export class Load implements Target {
  readonly #processors: Processors;
  readonly #steps: ModelConfig['loadSteps'];
  readonly #parked: Map<number, Thread> = new Map();
  readonly #queue: { readonly index: number; readonly thread: Thread }[] = [];
  readonly #admitted: Uint8Array;
  readonly #most: number; // jobs at once
  #jobs = 0;
  active: number;

  constructor(engine: Engine, processors: Processors, config: ModelConfig) {
    this.#processors = processors;
    this.#steps = config.loadSteps;
    this.active = config.threads;
    this.#admitted = new Uint8Array(config.threads);
    const credits = config.generation === 'adaptive' ? config.adaptive.admissionCredits : 0;
    this.#most = credits === 0 ? config.threads : Math.max(1, Math.floor(credits / config.pagesPerJob));
    const id = engine.register(this);
    for (const [index, step] of (this.#steps ?? []).entries()) engine.schedule(step.atSeconds * 1e9, id, index);
  }

  /** A step of the load. */
  fire(index: number): void {
    this.active = this.#steps?.[index].threads ?? this.active;
    for (const [thread, parked] of this.#parked) {
      if (thread >= this.active) continue;
      this.#parked.delete(thread);
      this.#processors.wake(parked);
    }
  }

  /** @returns whether thread `index` may begin a job; if not it sleeps, and asks again when woken. */
  mayBegin(index: number, thread: Thread): boolean {
    if (index >= this.active) {
      this.#parked.set(index, thread);
      this.end(index);
      return false;
    }
    if (this.#admitted[index] === 1) return true;
    if (this.#jobs >= this.#most) {
      this.#queue.push({ index, thread });
      return false;
    }
    this.#admit(index);
    return true;
  }

  #admit(index: number): void {
    this.#jobs++;
    this.#admitted[index] = 1;
  }

  /** Thread `index` has ended a job. */
  end(index: number): void {
    if (this.#admitted[index] === 0) return;
    this.#admitted[index] = 0;
    this.#jobs--;
    const next = this.#queue.shift();
    if (next === undefined) return;
    this.#admit(next.index);
    this.#processors.wake(next.thread);
  }
}
