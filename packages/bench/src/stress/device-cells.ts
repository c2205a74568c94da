// The life of a worker on the device side, from cell to cell: a device worker's, and that of the device that misbehaves.
import type { Arena } from '@faultline/core/memory';
import type { Doorbell, Words } from '@faultline/core/sync';
import { CTL_CELL, CTL_DONE, CTL_GO, CTL_OVER, CTL_QUIT, CTL_READY, CTL_STOP, cellNumber } from './control.ts';
import type { Served } from './family/family.ts';

/** How often who serves looks whether the cell has started: that rings no doorbell. */
const LOOK_MS = 1;

/** The device side's end of the control words (control.ts). Blocks: nothing else runs on its thread. */
export class DeviceCells {
  readonly #words: Words;
  readonly #control: number;

  constructor(arena: Arena) {
    this.#words = arena.words;
    this.#control = arena.base('control');
  }

  /** Runs each cell that starts, until told to quit. @param after the CELL word that was there when the worker was made. */
  run(after: number, runCell: (cell: number) => void): void {
    for (let served = after; ; ) {
      const cell = Atomics.load(this.#words, this.#control + CTL_CELL);
      if (this.#isQuitting()) break; // after CELL: quitting changes that too
      if (cell === served) {
        Atomics.wait(this.#words, this.#control + CTL_CELL, cell);
        continue;
      }
      served = cell;
      runCell(cell);
    }
  }

  /** Says that the worker is in the cell, and waits for its start. */
  enter(cell: number): void {
    const number = cellNumber(cell);
    this.#count(CTL_READY);
    while (!this.#isGoing(number)) Atomics.wait(this.#words, this.#control + CTL_GO, number - 1);
  }

  /** {@link enter} with an endpoint that is to be turned off before the start. */
  enterServing(cell: number, endpoint: Served, wake: Doorbell): void {
    const number = cellNumber(cell);
    const hasWork = (): boolean => this.#isGoing(number) || endpoint.hasWork();
    this.#count(CTL_READY);
    while (!this.#isGoing(number)) if (endpoint.pump() === 0) wake.sleep(hasWork, LOOK_MS);
  }

  /** Whether device threads are to end. */
  isStopped(): boolean {
    return Atomics.load(this.#words, this.#control + CTL_STOP) !== 0;
  }

  leave(): void {
    this.#count(CTL_DONE);
  }

  /** A device is there after its last fault, too: turning it off waits for what it completes. */
  serve(cell: number, endpoints: Served, wake: Doorbell): void {
    const number = cellNumber(cell);
    const isOver = (): boolean => Atomics.load(this.#words, this.#control + CTL_OVER) === number || this.#isQuitting();
    const hasWork = (): boolean => isOver() || endpoints.hasWork();
    while (!isOver()) if (endpoints.pump() === 0) wake.sleep(hasWork, Infinity);
  }

  #isGoing(number: number): boolean {
    return Atomics.load(this.#words, this.#control + CTL_GO) === number || this.#isQuitting();
  }

  #isQuitting(): boolean {
    return Atomics.load(this.#words, this.#control + CTL_QUIT) !== 0;
  }

  #count(at: number): void {
    Atomics.add(this.#words, this.#control + at, 1);
    Atomics.notify(this.#words, this.#control + at);
  }
}
