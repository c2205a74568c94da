// A barrier that all threads leave as close together as can be: they spin, and sleep only when the last one is long in coming.
//
// Ordering. What the threads did before is plain.
//   [P] arrive: what was written, then ARRIVED     pairs with  [C] the last to arrive: ARRIVED, then ROUND
//   [R] the last: ROUND, notify                    pairs with  [L] leave: ROUND (compared inside wait), then what was written
import { ARRIVED, ROUND } from './layout.ts';

const LOOKS = 20_000;

export class Barrier {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #threads: number;

  constructor(control: Int32Array<SharedArrayBuffer>, threads: number) {
    this.#control = control;
    this.#threads = threads;
  }

  /** Returns when all threads have arrived. */
  pass(): void {
    const control = this.#control;
    const round = Atomics.load(control, ROUND);
    if (Atomics.add(control, ARRIVED, 1) === this.#threads - 1) {
      Atomics.store(control, ARRIVED, 0);
      Atomics.add(control, ROUND, 1); // [R]
      Atomics.notify(control, ROUND);
      return;
    }
    for (let looks = LOOKS; looks > 0; looks--) if (Atomics.load(control, ROUND) !== round) return; // [L]
    while (Atomics.load(control, ROUND) === round) Atomics.wait(control, ROUND, round);
  }
}
