import { NO_PORT } from './announce.ts';

/** Whose turn it is, among ports (or queues) that have work: a ring, each in it once. The head is served, then goes to the end, so that a
 * small budget starves none. */
export class Turns {
  readonly #ring: Int32Array;
  readonly #mask: number;
  readonly #isIn: Uint8Array;
  #head = 0;
  #count = 0;

  constructor(ports: number) {
    this.#mask = 2 ** Math.ceil(Math.log2(Math.max(1, ports))) - 1;
    this.#ring = new Int32Array(this.#mask + 1);
    this.#isIn = new Uint8Array(ports);
  }

  get count(): number {
    return this.#count;
  }

  /** @returns the port whose turn it is, or NO_PORT. */
  head(): number {
    return this.#count === 0 ? NO_PORT : this.#ring[this.#head & this.#mask];
  }

  /** @returns the port whose turn it is in `turn` turns, fewer than there are. */
  at(turn: number): number {
    return this.#ring[(this.#head + turn) & this.#mask];
  }

  /** Puts a port at the end, unless it is in the ring. */
  join(port: number): void {
    if (this.#isIn[port] === 1) return;
    this.#isIn[port] = 1;
    this.#ring[(this.#head + this.#count) & this.#mask] = port;
    this.#count++;
  }

  /** Takes the head off the ring. */
  leave(): void {
    this.#isIn[this.head()] = 0;
    this.#head = (this.#head + 1) | 0;
    this.#count--;
  }
}
