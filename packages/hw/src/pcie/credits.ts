import type { Words } from '@faultline/core/sync';
import { EP_PEAK } from './endpoint-stats.ts';
import type { InterfaceState } from './interface-state.ts';
import { REQUESTS_AFTER_PRI_OFF, type Switches } from './misbehaviour.ts';

/** Page requests that an endpoint has outstanding, and how many it may have. A credit is a page, not a group; stop markers take none. */
export class Credits {
  readonly #words: Words;
  readonly #most: number;
  readonly #state: InterfaceState;
  readonly #switches: Switches;
  readonly #peakAt: number;
  #outstanding = 0;

  /** @param most what the port has room for, whatever the allocation says. */
  constructor(words: Words, most: number, state: InterfaceState, switches: Switches, statsAt: number) {
    this.#words = words;
    this.#most = most;
    this.#state = state;
    this.#switches = switches;
    this.#peakAt = statsAt + EP_PEAK;
  }

  /** Requests sent, or planned, without an answer. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Requests that may be outstanding at once: this endpoint's part of the allocation. */
  limit(): number {
    if (this.#switches.isOn(REQUESTS_AFTER_PRI_OFF)) return this.#most;
    return Math.min(this.#most, this.#state.credits());
  }

  take(pages: number): void {
    this.#outstanding += pages;
    if (this.#outstanding > this.#words[this.#peakAt]) this.#words[this.#peakAt] = this.#outstanding;
  }

  give(pages: number): void {
    this.#outstanding -= pages;
  }

  /** All are back: what was outstanding is forgotten. */
  clear(): void {
    this.#outstanding = 0;
  }
}
