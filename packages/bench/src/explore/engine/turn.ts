// The turn: whoever holds it runs, the others spin, then sleep. It goes straight from thread to thread.
//
// Ordering. Everything in the control block but GO and STOP, and all memory of the scenario, is plain.
//   [P] give: what the holder wrote, then GO = 1    pairs with  [C] take: GO, then what was written
//   [W] take: GO = 2, then sleep while it is 2      pairs with      give: exchange, which finds the 2 and notifies
import { GO, GO_STRIDE } from './control.layout.ts';

// The real ones: the global Atomics is replaced in these workers.
const { load, exchange, compareExchange, wait, notify } = Atomics;

const FEWEST = 16;
/** After so many sleeps it is tried again whether looking helps. */
const HOPE = 256;

export class Turn {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #own: number;
  readonly #most: number;
  /** How often to look this time: less and less while looking is in vain, as it is when the holder has no processor. */
  #looks: number;
  #sleeps = 0;

  /** @param most how often to look before sleeping: many while each thread has a processor, few otherwise. */
  constructor(control: Int32Array<SharedArrayBuffer>, me: number, most: number) {
    this.#control = control;
    this.#own = GO + me * GO_STRIDE;
    this.#most = most;
    this.#looks = most;
  }

  give(thread: number): void {
    const at = GO + thread * GO_STRIDE;
    if (exchange(this.#control, at, 1) === 2) notify(this.#control, at); // [P] [W]
  }

  /** Waits for the turn. */
  take(): void {
    const control = this.#control;
    const own = this.#own;
    for (let left = this.#looks; left > 0; left--) {
      if (load(control, own) === 1) {
        control[own] = 0; // plain: nobody gives it again before we have given it away [C]
        if (this.#looks < this.#most) this.#looks *= 2;
        return;
      }
    }
    if (this.#looks > FEWEST) this.#looks >>= 1;
    if (++this.#sleeps % HOPE === 0) this.#looks = this.#most;
    if (compareExchange(control, own, 0, 2) === 0) while (load(control, own) === 2) wait(control, own, 2); // [W]
    control[own] = 0;
  }
}
