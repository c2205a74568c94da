import type { Clock, Words } from '@faultline/core/sync';
import type { Atc } from './atc.ts';
import { EP_INVALIDATIONS } from './endpoint-stats.ts';
import {
  INVALIDATE_ALL,
  ITAGS,
  REQUEST_INVALIDATED,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_PAGE_HI,
  RESPONSE_PAGE_LO,
  RESPONSE_PASID,
  RESPONSE_PASID_VALID,
  RESPONSE_PRGI,
} from './pri-port.layout.ts';
import type { PriRequester } from './pri-requester.ts';

/** What an endpoint makes of invalidation requests: drops the translations, then says so behind the page requests sent by then. */
export class InvalidationTaker {
  readonly #words: Words;
  readonly #port: PriRequester;
  readonly #atc: Atc;
  readonly #statsAt: number;
  readonly #clock: Clock;
  readonly #due: Int32Array = new Int32Array(ITAGS); // ITAGs whose completion is still to be sent, oldest first
  #count = 0;

  constructor(words: Words, port: PriRequester, atc: Atc, statsAt: number, clock: Clock) {
    this.#words = words;
    this.#port = port;
    this.#atc = atc;
    this.#statsAt = statsAt;
    this.#clock = clock;
  }

  /** @returns false while as many completions are due as there are ITAGs: none of these can be ours. */
  take(at: number): boolean {
    if (this.#count === ITAGS) return false;
    const words = this.#words;
    const pasid = (words[at + RESPONSE_FLAGS] & RESPONSE_PASID_VALID) === 0 ? -1 : words[at + RESPONSE_PASID];
    const size = Math.min(INVALIDATE_ALL, words[at + RESPONSE_CODE]);
    this.#atc.invalidate(words[at + RESPONSE_PAGE_LO], words[at + RESPONSE_PAGE_HI], size, pasid);
    this.#due[this.#count++] = words[at + RESPONSE_PRGI];
    return true;
  }

  /** Sends what is due, as far as the link has room: a host that gets a completion has the requests sent before it. */
  sendCompletions(): void {
    let sent = 0;
    while (sent < this.#count && this.#port.post(0, 0, REQUEST_INVALIDATED, 0, this.#due[sent], this.#clock())) sent++;
    if (sent === 0) return;
    this.#due.copyWithin(0, sent, this.#count);
    this.#count -= sent;
    this.#words[this.#statsAt + EP_INVALIDATIONS] += sent;
  }
}
