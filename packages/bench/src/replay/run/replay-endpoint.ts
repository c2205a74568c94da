import type { Clock, Words } from '@faultline/core/sync';
import { histogramRecord } from '@faultline/core/trace';
import {
  Atc,
  ENDPOINT_STATS,
  type EndpointStat,
  InterfaceState,
  InvalidationTaker,
  NO_RECORD,
  PRG_INDICES,
  PRG_INVALID,
  PRG_SUCCESS,
  PriRequester,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_READ,
  REQUEST_WRITE,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_INVALIDATE,
  RESPONSE_PRGI,
  RESPONSE_TICK,
} from '@faultline/hw/pcie';
import { FEED_FLAGS, FEED_INDEX, FEED_LAST, FEED_PAGE_HI, FEED_PAGE_LO, FEED_PASID } from './layout.ts';

export interface ReplayEndpointConfig {
  /** Bases of the PRI port, of its function, of its statistics, of its histogram of latencies. */
  readonly portAt: number;
  readonly functionAt: number;
  readonly statsAt: number;
  readonly histogramAt: number;
  readonly clock: Clock;
}

/** What {@link ReplayEndpoint.send} found. */
export const SENT = 0;
export const HELD_INDEX = 1; // the group that had this index has no answer yet
export const HELD_CREDIT = 2;
export const HELD_LINK = 3; // no room on the link
export const UNSENT = 4; // the interface has failed: nothing is sent any more

/** The endpoint of a traced device: it does not choose groups, indices and their order, as an accelerator's does, but has them from the trace.
 * What it keeps to is what any function must: an index is not used again before its group has its answer, and no more requests are outstanding
 * than were allocated, unless all groups still want their last request: then nobody could answer, and it goes on. */
export class ReplayEndpoint {
  readonly #words: Words;
  readonly #port: PriRequester;
  readonly #state: InterfaceState;
  readonly #invalidations: InvalidationTaker;
  readonly #config: ReplayEndpointConfig;
  readonly #pages: Int32Array = new Int32Array(PRG_INDICES); // requests sent of the index's group
  readonly #isDue: Uint8Array = new Uint8Array(PRG_INDICES); // 1: its last request was sent, so that an answer is due
  readonly #since: Int32Array = new Int32Array(PRG_INDICES); // tick of that
  #outstanding = 0; // requests
  #due = 0; // groups

  constructor(words: Words, config: ReplayEndpointConfig) {
    this.#words = words;
    this.#config = config;
    this.#port = new PriRequester(words, config.portAt);
    this.#state = new InterfaceState(words, config.functionAt, 0);
    this.#invalidations = new InvalidationTaker(words, this.#port, new Atc(4), config.statsAt, config.clock);
  }

  /** Groups without an answer. */
  get due(): number {
    return this.#due;
  }

  /** Sends the record at `at` (FEED_*), unless it must wait. @returns SENT, UNSENT: done with it; HELD_*: try again. */
  send(at: number): number {
    const words = this.#words;
    const index = words[at + FEED_INDEX];
    if (this.#isDue[index] === 1) return HELD_INDEX;
    if (this.#due > 0 && this.#outstanding >= this.#limit()) return HELD_CREDIT;
    if (!this.#state.enter(false)) return UNSENT;
    const flags = words[at + FEED_FLAGS];
    const pasid = words[at + FEED_PASID];
    const perm = flags & (FEED_LAST - 1);
    const isLast = (flags & FEED_LAST) !== 0;
    // Execute and Privileged travel with the PASID.
    const sent =
      (pasid === 0 ? perm & (REQUEST_READ | REQUEST_WRITE) : perm | REQUEST_PASID_VALID) | (isLast ? REQUEST_LAST : 0);
    const now = this.#config.clock();
    if (!this.#port.post(words[at + FEED_PAGE_LO], words[at + FEED_PAGE_HI], sent, pasid, index, now)) return HELD_LINK;
    this.#pages[index]++;
    this.#outstanding++;
    this.#count(REQUESTS);
    if (isLast) {
      this.#isDue[index] = 1;
      this.#since[index] = now;
      this.#due++;
      this.#count(GROUPS);
    }
    return SENT;
  }

  /** Takes what has come, publishes what was sent. @returns records taken. */
  pump(): number {
    let taken = 0;
    for (let at = this.#port.peek(); at !== NO_RECORD; at = this.#port.peek()) {
      if ((this.#words[at + RESPONSE_FLAGS] & RESPONSE_INVALIDATE) === 0) this.#answer(at);
      else if (!this.#invalidations.take(at)) break;
      this.#port.next();
      taken++;
    }
    this.#port.release();
    if (this.#state.takeReset()) this.#forget(RESETS);
    this.#invalidations.sendCompletions();
    this.#port.publish();
    if (this.#outstanding === 0) this.#state.leave();
    return taken;
  }

  /** Whether a thread that was about to sleep need not. */
  hasWork(): boolean {
    return this.#port.hasWork() || this.#state.hasReset();
  }

  /** Nothing more is sent: groups that want their last request stay behind, as they do when a real function is turned off. */
  end(): void {
    if (this.#due > 0) return;
    this.#outstanding = 0;
    this.#state.leave();
  }

  #limit(): number {
    return Math.min(this.#port.credits, this.#state.credits());
  }

  #answer(at: number): void {
    const words = this.#words;
    const index = words[at + RESPONSE_PRGI] & (PRG_INDICES - 1);
    const code = words[at + RESPONSE_CODE] & 15;
    if (code !== PRG_SUCCESS && code !== PRG_INVALID) {
      this.#state.fail();
      this.#count(FAILURES);
      this.#forget(FAILURES);
      return;
    }
    if (this.#isDue[index] === 0) {
      this.#count(UNEXPECTED);
      this.#state.setUnexpected();
      return;
    }
    this.#count(code === PRG_SUCCESS ? SUCCEEDED : INVALID);
    histogramRecord(words, this.#config.histogramAt, (words[at + RESPONSE_TICK] - this.#since[index]) | 0);
    this.#isDue[index] = 0;
    this.#outstanding -= this.#pages[index];
    this.#pages[index] = 0;
    this.#due--;
    this.answered(index);
  }

  /** For who watches: the index's group has its answer; nothing under way gets one any more. */
  protected answered(_index: number): void {}
  protected dropped(): void {}

  /** What is outstanding gets no answer any more. */
  #forget(why: number): void {
    if (why === RESETS) this.#count(RESETS);
    this.#words[this.#config.statsAt + DROPPED] += this.#due;
    this.#isDue.fill(0);
    this.#pages.fill(0);
    this.#outstanding = 0;
    this.#due = 0;
    this.dropped();
  }

  #count(stat: number): void {
    this.#words[this.#config.statsAt + stat]++;
  }
}

function at(stat: EndpointStat): number {
  return ENDPOINT_STATS.indexOf(stat);
}
const REQUESTS = at('requests');
const GROUPS = at('groups');
const SUCCEEDED = at('succeeded');
const INVALID = at('invalid');
const FAILURES = at('failures');
const UNEXPECTED = at('unexpected');
const DROPPED = at('dropped');
const RESETS = at('resets');
