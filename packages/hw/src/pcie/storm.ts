import type { Clock, Words } from '@faultline/core/sync';
import type { Credits } from './credits.ts';
import { EP_GROUPS, EP_REQUESTS, EP_STORMED } from './endpoint-stats.ts';
import { type GroupTable, NO_SLOTS } from './group-table.ts';
import type { InterfaceState } from './interface-state.ts';
import { REQUESTS_AFTER_PRI_OFF, STORM, type Switches } from './misbehaviour.ts';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from './pri-port.layout.ts';
import type { PriRequester } from './pri-requester.ts';

/** What the switch `storm` sends: single-page groups to nobody's account, one page after the other. */
export class Storm {
  readonly #words: Words;
  readonly #port: PriRequester;
  readonly #table: GroupTable;
  readonly #state: InterfaceState;
  readonly #switches: Switches;
  readonly #credits: Credits;
  readonly #statsAt: number;
  readonly #clock: Clock;
  #page = 0;

  constructor(
    words: Words,
    port: PriRequester,
    table: GroupTable,
    state: InterfaceState,
    switches: Switches,
    credits: Credits,
    statsAt: number,
    clock: Clock,
  ) {
    this.#words = words;
    this.#port = port;
    this.#table = table;
    this.#state = state;
    this.#switches = switches;
    this.#credits = credits;
    this.#statsAt = statsAt;
    this.#clock = clock;
  }

  /** @param page first page asked for, bits 31:0 of its number. */
  startAt(page: number): void {
    this.#page = page;
  }

  /** Sends up to `budget` groups, as fast as the link takes them. Half of the PRG indices are left to those who wait for answers.
   * @param pasid or -1. @returns groups sent. */
  send(budget: number, pasid: number): number {
    let sent = 0;
    if (!this.#switches.isOn(STORM)) return sent;
    const keep = this.#port.groupCount >>> 1;
    while (sent < budget && this.#table.free > keep) {
      if (!this.#state.enter(this.#switches.isOn(REQUESTS_AFTER_PRI_OFF)) || !this.#sendOne(pasid)) break;
      sent++;
    }
    return sent;
  }

  #sendOne(pasid: number): boolean {
    const table = this.#table;
    const group = table.open(NO_SLOTS, pasid, 1, 0);
    const flags = REQUEST_READ | REQUEST_LAST | (pasid < 0 ? 0 : REQUEST_PASID_VALID);
    if (!this.#port.post(this.#page, 0, flags, Math.max(0, pasid), table.index(group), this.#clock())) {
      table.close(group);
      return false;
    }
    this.#page = (this.#page + 1) | 0;
    table.setSent(group);
    this.#credits.take(1);
    this.#words[this.#statsAt + EP_REQUESTS]++;
    this.#words[this.#statsAt + EP_GROUPS]++;
    this.#words[this.#statsAt + EP_STORMED]++;
    return true;
  }
}
