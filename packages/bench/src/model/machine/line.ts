/** A word in a cache line that several write. Who had it last has it at hand; others wait for it to come, one after the other. */
export class Line {
  readonly #transferNs: number;
  #owner = -1;
  #freeAt = 0;
  busyNs = 0;

  constructor(transferNs: number) {
    this.#transferNs = transferNs;
  }

  /** Changes the word `times` times. @returns what that took beyond having the line at hand. */
  touch(now: number, cpu: number, times: number): number {
    if (this.#owner === cpu) return 0;
    this.#owner = cpu;
    const start = Math.max(now, this.#freeAt);
    // Meanwhile the others, if any, have it each time between.
    const moves = start > now ? times : 1;
    const took = moves * this.#transferNs;
    this.#freeAt = start + took;
    this.busyNs += took;
    return this.#freeAt - now;
  }
}
