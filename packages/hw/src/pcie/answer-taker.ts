import type { Words } from '@faultline/core/sync';
import { STALL_ABORT, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import type { Credits } from './credits.ts';
import { SLOT_NEXT, SLOT_WORDS } from './endpoint-queue.ts';
import {
  EP_DROPPED,
  EP_DUPLICATED,
  EP_EARLY,
  EP_FAILURES,
  EP_IGNORED,
  EP_INVALID,
  EP_LOST,
  EP_SUCCEEDED,
  EP_UNEXPECTED,
  EP_WRONG_PASID,
} from './endpoint-stats.ts';
import { type GroupTable, NO_GROUP, NO_SLOTS } from './group-table.ts';
import type { InterfaceState } from './interface-state.ts';
import { REQUESTS_AFTER_PRI_OFF, RESPONSE_DUPLICATED, RESPONSE_LOST, type Switches } from './misbehaviour.ts';
import {
  PRG_INDICES,
  PRG_INVALID,
  PRG_SUCCESS,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_PASID,
  RESPONSE_PASID_VALID,
  RESPONSE_PRGI,
  RESPONSE_TICK,
} from './pri-port.layout.ts';
import type { RequestSender } from './request-sender.ts';

/** What an endpoint makes of page group responses. The outcomes are listed at Endpoint. */
export class AnswerTaker {
  readonly #words: Words;
  readonly #state: InterfaceState;
  readonly #table: GroupTable;
  readonly #sender: RequestSender;
  readonly #switches: Switches;
  readonly #credits: Credits;
  readonly #statsAt: number;

  constructor(
    words: Words,
    state: InterfaceState,
    table: GroupTable,
    sender: RequestSender,
    switches: Switches,
    credits: Credits,
    statsAt: number,
  ) {
    this.#words = words;
    this.#state = state;
    this.#table = table;
    this.#sender = sender;
    this.#switches = switches;
    this.#credits = credits;
    this.#statsAt = statsAt;
  }

  /** Takes the response at `at`: as often as the link delivers it. */
  take(at: number): void {
    if (this.#switches.isDue(RESPONSE_LOST)) {
      this.#count(EP_LOST, 1);
      return;
    }
    this.#deliver(at);
    if (!this.#switches.isDue(RESPONSE_DUPLICATED)) return;
    this.#count(EP_DUPLICATED, 1);
    this.#deliver(at);
  }

  /** Aborts everything that is outstanding. @param why the statistic that says so. */
  giveUp(why: number): void {
    this.#count(why, 1);
    this.#count(EP_DROPPED, this.#sender.drop());
  }

  #deliver(at: number): void {
    const words = this.#words;
    if (this.#state.isFailed() && !this.#switches.isOn(REQUESTS_AFTER_PRI_OFF)) {
      this.#count(EP_IGNORED, 1);
      return;
    }
    const prgi = words[at + RESPONSE_PRGI] & (PRG_INDICES - 1);
    const code = words[at + RESPONSE_CODE] & 15;
    // A failure need not name its group: the host need not have kept the index.
    if (code !== PRG_SUCCESS && code !== PRG_INVALID) {
      this.#state.fail();
      this.#state.takeFailure();
      this.giveUp(EP_FAILURES);
      return;
    }
    const group = this.#table.match(prgi);
    if (group === NO_GROUP) {
      if (this.#table.has(prgi)) this.#count(EP_EARLY, 1);
      this.#unexpected();
      return;
    }
    if (!this.#isPasidRight(at, this.#table.pasid(group))) {
      this.#count(EP_WRONG_PASID, 1);
      this.#unexpected();
      return;
    }
    this.#count(code === PRG_SUCCESS ? EP_SUCCEEDED : EP_INVALID, 1);
    this.#finish(group, code === PRG_SUCCESS ? STALL_RETRY : STALL_ABORT, words[at + RESPONSE_TICK]);
  }

  #isPasidRight(at: number, pasid: number): boolean {
    if (!this.#state.pasidRequired) return true;
    const words = this.#words;
    const hasPasid = (words[at + RESPONSE_FLAGS] & RESPONSE_PASID_VALID) !== 0;
    return pasid < 0 ? !hasPasid : hasPasid && words[at + RESPONSE_PASID] === pasid;
  }

  #unexpected(): void {
    this.#count(EP_UNEXPECTED, 1);
    this.#state.setUnexpected();
  }

  #finish(group: number, result: number, tick: number): void {
    const table = this.#table;
    const number = table.queue(group);
    let slot = table.first(group);
    if (slot !== NO_SLOTS) {
      const queue = this.#sender.queues[number];
      while (slot !== NO_SLOTS) {
        const next = queue.slots[slot * SLOT_WORDS + SLOT_NEXT];
        queue.finish(slot, result, tick);
        slot = next;
      }
    }
    this.#credits.give(table.pages(group));
    table.close(group);
  }

  #count(stat: number, count: number): void {
    this.#words[this.#statsAt + stat] += count;
  }
}
