import type { Clock } from '@faultline/core/sync';

/** The tick of one pump call: the clock is read once, and only if somebody asks. */
export class PumpTick {
  readonly #clock: Clock;
  #now = 0;
  #read = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  restart(): void {
    this.#read = false;
  }

  now(): number {
    if (!this.#read) {
      this.#read = true;
      this.#now = this.#clock();
    }
    return this.#now;
  }
}
