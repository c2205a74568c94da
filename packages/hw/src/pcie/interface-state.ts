import { checkInteger } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import {
  ATS_CTRL_ENABLE,
  checkFunction,
  FUNCTION_ALLOCATION,
  FUNCTION_ATS,
  FUNCTION_CONTROL,
  FUNCTION_FAILED,
  FUNCTION_PASID_REQUIRED,
  FUNCTION_QUEUES,
  FUNCTION_RESETS,
  FUNCTION_RUNNING,
  FUNCTION_STATUS,
  PRI_CTRL_ENABLE,
  PRI_STATUS_RF,
  PRI_STATUS_UPRGI,
} from './function.layout.ts';

/** One endpoint's view of its function's page request interface: may it issue, has it stopped. Orderings: function.layout.ts. */
export class InterfaceState {
  readonly #words: Words;
  readonly #base: number;
  readonly #place: number;
  #running = false;
  #resetsSeen: number;
  #gaveUp = 0; // the enabling whose failure this endpoint has taken note of
  #atsSeen: number;
  readonly pasidRequired: boolean;

  /** @param place the endpoint's number among the function's queues. */
  constructor(words: Words, base: number, place: number) {
    checkFunction('Endpoint', words, base);
    checkInteger('Endpoint', 'place', place, 0, words[base + FUNCTION_QUEUES] - 1);
    this.#words = words;
    this.#base = base;
    this.#place = place;
    this.#resetsSeen = Atomics.load(words, base + FUNCTION_RESETS);
    this.#atsSeen = Atomics.load(words, base + FUNCTION_ATS);
    this.pasidRequired = words[base + FUNCTION_PASID_REQUIRED] === 1;
  }

  /** This endpoint's part of the allocation. */
  credits(): number {
    const allocation = Atomics.load(this.#words, this.#base + FUNCTION_ALLOCATION);
    const queues = this.#words[this.#base + FUNCTION_QUEUES];
    return Math.floor(allocation / queues) + (this.#place < allocation % queues ? 1 : 0);
  }

  isAtsEnabled(): boolean {
    return (Atomics.load(this.#words, this.#base + FUNCTION_ATS) & ATS_CTRL_ENABLE) !== 0;
  }

  /** Whether ATS control was written since the last call: what is cached must go. */
  takeAtsChange(): boolean {
    const control = Atomics.load(this.#words, this.#base + FUNCTION_ATS);
    if (control === this.#atsSeen) return false;
    this.#atsSeen = control;
    return true;
  }

  /** Announces requests, then looks whether they may be sent. @returns false when they may not: call {@link leave} then.
   * @param regardless sends them with PRI disabled or failed, too */
  enter(regardless: boolean): boolean {
    if (!this.#running) {
      this.#running = true;
      Atomics.add(this.#words, this.#base + FUNCTION_RUNNING, 1); // [O]
    }
    if (regardless) return true;
    const control = Atomics.load(this.#words, this.#base + FUNCTION_CONTROL); // [O]
    if ((control & PRI_CTRL_ENABLE) === 0 || !this.isAtsEnabled()) return false;
    return Atomics.load(this.#words, this.#base + FUNCTION_FAILED) !== control >>> 1;
  }

  /** Nothing is outstanding. */
  leave(): void {
    if (!this.#running) return;
    this.#running = false;
    Atomics.sub(this.#words, this.#base + FUNCTION_RUNNING, 1); // [I]
  }

  /** Whether a Response Failure has disabled the interface, until it is enabled anew. */
  isFailed(): boolean {
    return Atomics.load(this.#words, this.#base + FUNCTION_FAILED) === this.#enabling();
  }

  /** Disables the interface for all of the function's endpoints. */
  fail(): void {
    Atomics.or(this.#words, this.#base + FUNCTION_STATUS, PRI_STATUS_RF);
    Atomics.store(this.#words, this.#base + FUNCTION_FAILED, this.#enabling());
  }

  /** Whether the interface has failed since the last call. */
  takeFailure(): boolean {
    if (!this.isFailed()) return false;
    const enabling = this.#enabling();
    if (this.#gaveUp === enabling) return false;
    this.#gaveUp = enabling;
    return true;
  }

  /** Whether the host has reset the interface since the last call. */
  takeReset(): boolean {
    const resets = Atomics.load(this.#words, this.#base + FUNCTION_RESETS); // [X]
    if (resets === this.#resetsSeen) return false;
    this.#resetsSeen = resets;
    return true;
  }

  /** Whether {@link takeReset} would find one. */
  hasReset(): boolean {
    return Atomics.load(this.#words, this.#base + FUNCTION_RESETS) !== this.#resetsSeen;
  }

  /** A response matched no outstanding group. */
  setUnexpected(): void {
    Atomics.or(this.#words, this.#base + FUNCTION_STATUS, PRI_STATUS_UPRGI);
  }

  #enabling(): number {
    return Atomics.load(this.#words, this.#base + FUNCTION_CONTROL) >>> 1;
  }
}
