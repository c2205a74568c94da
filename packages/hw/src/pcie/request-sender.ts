import type { Clock, Words } from '@faultline/core/sync';
import type { Credits } from './credits.ts';
import type { EndpointQueue } from './endpoint-queue.ts';
import { SLOT_NEXT, SLOT_PAGE_HI, SLOT_PAGE_LO, SLOT_PERM, SLOT_POSTED, SLOT_WORDS } from './endpoint-queue.ts';
import { EP_DOUBLED, EP_GROUPS, EP_REFUSED, EP_REQUESTS, EP_REUSED, EP_STOP_MARKERS } from './endpoint-stats.ts';
import { type GroupTable, NO_GROUP } from './group-table.ts';
import type { InterfaceState } from './interface-state.ts';
import {
  CREDITS_EXCEEDED,
  GROUP_INDEX_REUSED,
  LAST_PAGE_DOUBLED,
  LAST_PAGE_MISSING,
  PASID_CHANGED_IN_GROUP,
  REQUESTS_AFTER_PRI_OFF,
  type Switches,
} from './misbehaviour.ts';
import {
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_READ,
  REQUEST_STOP_MARKER,
  REQUEST_WRITE,
} from './pri-port.layout.ts';
import type { PriRequester } from './pri-requester.ts';

// Sends what queues have posted, in waves: some groups of one queue, their requests taking turns. A wave is planned only when credits
// and PRG indices for all of it are there, so a group that was begun can always be ended. It then goes on as the link has room.

const WHIM_NO_LAST = 1;
const WHIM_DOUBLE = 2;
const WHIM_PASID = 4;

export interface SenderConfig {
  readonly groupPages: number;
  readonly interleave: number;
}

export class RequestSender {
  readonly #words: Words;
  readonly #port: PriRequester;
  readonly #table: GroupTable;
  readonly #state: InterfaceState;
  readonly #switches: Switches;
  readonly #credits: Credits;
  readonly #statsAt: number;
  readonly #clock: Clock;
  readonly #groupPages: number;
  readonly #interleave: number;
  readonly #queues: EndpointQueue[] = [];
  readonly #waveGroups: Int32Array;
  #turn = 0;
  #wave: EndpointQueue | undefined;
  #waveFirst = 0; // slot
  #waveCount = 0; // slots
  #waveSize = 0; // groups
  #waveAt = 0;
  #repeat = false; // the record sent last is to be sent once more

  constructor(
    words: Words,
    port: PriRequester,
    table: GroupTable,
    state: InterfaceState,
    switches: Switches,
    credits: Credits,
    statsAt: number,
    clock: Clock,
    config: SenderConfig,
  ) {
    this.#words = words;
    this.#port = port;
    this.#table = table;
    this.#state = state;
    this.#switches = switches;
    this.#credits = credits;
    this.#statsAt = statsAt;
    this.#clock = clock;
    this.#groupPages = config.groupPages;
    this.#interleave = config.interleave;
    this.#waveGroups = new Int32Array(config.interleave);
  }

  get queues(): readonly EndpointQueue[] {
    return this.#queues;
  }

  /** Whether a wave has begun and the link has no room for the rest. */
  get isHalfSent(): boolean {
    return this.#wave !== undefined;
  }

  addQueue(queue: EndpointQueue): void {
    this.#queues.push(queue);
  }

  /** Sends what may be sent. @returns requests sent and accesses refused. */
  send(): number {
    let done = 0;
    while (this.#wave !== undefined || this.#plan()) {
      const sent = this.#goOn();
      done += sent;
      if (this.#wave !== undefined) break; // no room
    }
    return done + this.#refuseAll();
  }

  /** @returns false when the PASID's requests are not all sent, or the link has no room. */
  stopMarker(pasid: number): boolean {
    for (const queue of this.#queues) if (queue.pasid === pasid && queue.sent !== queue.published) return false;
    if (this.#wave?.pasid === pasid) return false;
    const flags = REQUEST_LAST | REQUEST_PASID_VALID | REQUEST_STOP_MARKER;
    if (!this.#port.post(0, 0, flags, pasid, this.#port.groupFirst, this.#clock())) return false;
    this.#count(EP_STOP_MARKERS, 1);
    return true;
  }

  /** Forgets what is outstanding: its accesses are aborted. What was not sent goes on waiting. @returns accesses. */
  drop(): number {
    let dropped = 0;
    const now = this.#clock();
    for (const queue of this.#queues) dropped += queue.dropSent(now);
    this.#wave = undefined;
    this.#repeat = false;
    this.#table.clear();
    this.#credits.clear();
    return dropped;
  }

  /** Plans the next wave. @returns whether there is one. */
  #plan(): boolean {
    const queues = this.#queues;
    for (let tries = queues.length; tries > 0; tries--) {
      const queue = queues[this.#turn];
      const waiting = queue.published - queue.sent;
      if (waiting === 0) {
        this.#turn = (this.#turn + 1) % queues.length;
        continue;
      }
      if (!this.#state.enter(this.#switches.isOn(REQUESTS_AFTER_PRI_OFF))) return false; // refused below
      return this.#planWave(queue, waiting);
    }
    return false;
  }

  #planWave(queue: EndpointQueue, waiting: number): boolean {
    const limit = this.#credits.limit();
    const full = Math.min(this.#groupPages, waiting, Math.max(1, limit)); // a whole group waits for its credits
    const free = this.#switches.isOn(CREDITS_EXCEEDED) ? waiting : limit - this.#credits.outstanding;
    if (free < full || this.#table.free === 0) return false;
    const most = Math.min(waiting, free, Math.min(this.#interleave, this.#table.free) * full);
    const pages = most === waiting ? most : most - (most % full);
    const size = Math.ceil(pages / full);
    this.#turn = (this.#turn + 1) % this.#queues.length;
    this.#wave = queue;
    this.#waveFirst = queue.sent;
    this.#waveCount = pages;
    this.#waveSize = size;
    this.#waveAt = 0;
    for (let member = 0; member < size; member++) {
      const members = Math.ceil((pages - member) / size);
      this.#waveGroups[member] = this.#open(queue, members);
    }
    queue.sent += pages;
    this.#credits.take(pages);
    return true;
  }

  #open(queue: EndpointQueue, pages: number): number {
    const switches = this.#switches;
    let whims = 0;
    if (switches.isDue(LAST_PAGE_MISSING)) whims |= WHIM_NO_LAST;
    else if (switches.isDue(LAST_PAGE_DOUBLED)) whims |= WHIM_DOUBLE;
    if (pages > 1 && switches.isDue(PASID_CHANGED_IN_GROUP)) whims |= WHIM_PASID;
    if (switches.isDue(GROUP_INDEX_REUSED)) {
      const group = this.#table.openAgain(queue.number, queue.pasid, pages, whims);
      if (group !== NO_GROUP) {
        this.#count(EP_REUSED, 1);
        return group;
      }
    }
    return this.#table.open(queue.number, queue.pasid, pages, whims);
  }

  /** Sends the wave's requests as far as the link takes them. */
  #goOn(): number {
    const queue = this.#wave;
    let sent = 0;
    if (queue === undefined) return sent;
    while (this.#waveAt < this.#waveCount) {
      const group = this.#waveGroups[this.#waveAt % this.#waveSize];
      const isLast = this.#waveAt + this.#waveSize >= this.#waveCount;
      if (!this.#sendMember(queue, group, this.#waveFirst + this.#waveAt, isLast)) break;
      sent++;
      this.#count(EP_REQUESTS, 1);
      if (isLast && !this.#repeat && (this.#table.whims(group) & WHIM_DOUBLE) !== 0) {
        this.#repeat = true;
        this.#count(EP_DOUBLED, 1);
        continue;
      }
      this.#repeat = false;
      if (isLast) this.#count(EP_GROUPS, 1);
      this.#waveAt++;
    }
    if (this.#waveAt === this.#waveCount) this.#wave = undefined;
    return sent;
  }

  #sendMember(queue: EndpointQueue, group: number, slot: number, isLast: boolean): boolean {
    const slots = queue.slots;
    const at = slot * SLOT_WORDS;
    const table = this.#table;
    const whims = table.whims(group);
    let pasid = queue.pasid;
    if ((whims & WHIM_PASID) !== 0 && this.#waveAt < this.#waveSize) pasid = pasid < 0 ? 1 : pasid ^ 1;
    let flags = slots[at + SLOT_PERM];
    if (pasid < 0)
      flags &= REQUEST_READ | REQUEST_WRITE; // Execute and Privileged travel with the PASID
    else flags |= REQUEST_PASID_VALID;
    const ends = isLast && (whims & WHIM_NO_LAST) === 0;
    if (ends) flags |= REQUEST_LAST;
    const index = table.index(group);
    const tick = slots[at + SLOT_POSTED];
    if (!this.#port.post(slots[at + SLOT_PAGE_LO], slots[at + SLOT_PAGE_HI], flags, Math.max(0, pasid), index, tick))
      return false;
    if (this.#repeat) return true;
    slots[at + SLOT_NEXT] = table.first(group);
    table.setFirst(group, slot);
    if (ends) table.setSent(group);
    return true;
  }

  /** Refuses what cannot be sent as things are: the interface is off, or this endpoint got no credits. */
  #refuseAll(): number {
    let refused = 0;
    for (const queue of this.#queues) {
      if (queue.sent === queue.published) continue;
      const isStuck = this.#credits.limit() === 0 || !this.#state.enter(this.#switches.isOn(REQUESTS_AFTER_PRI_OFF));
      if (isStuck) refused += queue.dropUnsent(this.#clock());
    }
    if (refused !== 0) this.#count(EP_REFUSED, refused);
    return refused;
  }

  #count(stat: number, count: number): void {
    this.#words[this.#statsAt + stat] += count;
  }
}
