/** A word in a cache line that several write. Who had it last has it at hand; others wait for it to come, one after the other. */
export class Line {
  readonly #transferNs: number;
  #owner = -1;
  #freeAt = 0;
  busyNs = 0;

  constructor(transferNs: number) {
    this.#transferNs = transferNs;
  }

  /** Changes the word for `faults` faults, `each` times for each of them. Whoever had it before has it again between two faults;
   * who has to wait for it has it taken away within a fault as well. @returns what that took beyond having the line at hand. */
  touch(now: number, cpu: number, faults: number, each: number): number {
    if (this.#owner === cpu) return 0;
    this.#owner = cpu;
    const start = Math.max(now, this.#freeAt);
    const moves = start > now ? faults * each : faults;
    const took = moves * this.#transferNs;
    this.#freeAt = start + took;
    this.busyNs += took;
    return this.#freeAt - now;
  }
}
