// The turn: whoever holds it runs, the others spin, then sleep. It goes straight from thread to thread.
//
// Ordering. Everything in the control block but GO and STOP, and all memory of the scenario, is plain.
//   [P] give: what the holder wrote, then GO = 1    pairs with  [C] take: GO, then what was written
//   [W] take: GO = 2, then sleep while it is 2      pairs with      give: exchange, which finds the 2 and notifies
import { GO, GO_STRIDE } from './control.layout.ts';

// The real ones: the global Atomics is replaced in these workers.
const { load, exchange, compareExchange, wait, notify } = Atomics;

export class Turn {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #own: number;
  readonly #spins: number;

  /** @param spins how often to look before sleeping: many while each thread has a processor, few otherwise. */
  constructor(control: Int32Array<SharedArrayBuffer>, me: number, spins: number) {
    this.#control = control;
    this.#own = GO + me * GO_STRIDE;
    this.#spins = spins;
  }

  give(thread: number): void {
    const at = GO + thread * GO_STRIDE;
    if (exchange(this.#control, at, 1) === 2) notify(this.#control, at); // [P] [W]
  }

  /** Waits for the turn. */
  take(): void {
    const control = this.#control;
    const own = this.#own;
    for (let spin = this.#spins; spin > 0; spin--) {
      if (load(control, own) === 1) {
        control[own] = 0; // plain: nobody gives it again before we have given it away [C]
        return;
      }
    }
    if (compareExchange(control, own, 0, 2) === 0) while (load(control, own) === 2) wait(control, own, 2); // [W]
    control[own] = 0;
  }
}
