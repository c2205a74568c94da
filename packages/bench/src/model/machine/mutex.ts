import type { Engine, Target } from '../engine/engine.ts';
import type { Processors } from './processors.ts';
import { SLEEP, type Thread } from './thread.ts';

export interface WaitCosts {
  /** Going to sleep, and waking whoever sleeps: a call into the kernel each. */
  readonly sleepNs: number;
  /** Whether who finds a lock held looks on until it is free (its holder runs: Linux's optimistic spinning), or sleeps. */
  readonly spins: boolean;
  /** The lock word on its way from another processor. */
  readonly transferNs: number;
}

/** A lock whose holder is known to hold it for so long: taking and giving back are one event. Whoever comes while it is free takes
 * it, also ahead of a sleeper that was woken for it. */
export class Mutex implements Target {
  readonly #engine: Engine;
  readonly #processors: Processors;
  readonly #costs: WaitCosts;
  readonly #id: number;
  readonly #waiters: Thread[] = [];
  #freeAt = 0;
  #owner = -1;
  #armed = false;
  busyNs = 0;
  waitNs = 0;
  taken = 0;
  contended = 0;

  constructor(engine: Engine, processors: Processors, costs: WaitCosts) {
    this.#engine = engine;
    this.#processors = processors;
    this.#costs = costs;
    this.#id = engine.register(this);
  }

  /** Takes the lock for `hold`, which stands for `times` holds. @returns what that takes from now until it is given back; or
   * SLEEP: step again when woken. */
  take(now: number, thread: Thread, hold: number, times: number): number {
    const isFree = now >= this.#freeAt;
    if (!isFree && !this.#costs.spins) {
      this.contended++;
      this.#waiters.push(thread);
      this.#arm();
      return SLEEP;
    }
    let held = hold;
    if (this.#owner !== thread.cpu) held += this.#costs.transferNs * times;
    this.#owner = thread.cpu;
    const start = isFree ? now : this.#freeAt;
    if (!isFree) {
      this.contended++;
      this.waitNs += start - now;
    }
    this.#freeAt = start + held;
    this.busyNs += held;
    this.taken += times;
    if (this.#waiters.length === 0) return this.#freeAt - now;
    this.#arm();
    return this.#freeAt + this.#costs.sleepNs - now; // given back first, then it wakes one
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#engine.schedule(this.#freeAt, this.#id, 0);
  }

  fire(): void {
    this.#armed = false;
    if (this.#engine.now < this.#freeAt) this.#arm();
    else {
      const first = this.#waiters.shift();
      if (first !== undefined) this.#processors.wake(first);
    }
  }
}
