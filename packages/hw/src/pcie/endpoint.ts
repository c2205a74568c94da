import { checkInteger, IommuError } from '@faultline/core/errors';
import { checkRegion } from '@faultline/core/memory';
import type { Clock, Words } from '@faultline/core/sync';
import { STALL_ABORT, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import { Atc } from './atc.ts';
import { EndpointQueue, SLOT_NEXT, SLOT_WORDS } from './endpoint-queue.ts';
import {
  EP_DROPPED,
  EP_DUPLICATED,
  EP_EARLY,
  EP_FAILURES,
  EP_IGNORED,
  EP_INVALID,
  EP_INVALIDATIONS,
  EP_LOST,
  EP_RESETS,
  EP_SUCCEEDED,
  EP_UNEXPECTED,
  EP_WRONG_PASID,
  endpointStatWords,
} from './endpoint-stats.ts';
import { GroupTable, NO_GROUP, NO_SLOTS } from './group-table.ts';
import { InterfaceState } from './interface-state.ts';
import {
  type Misbehaviours,
  REQUESTS_AFTER_PRI_OFF,
  RESPONSE_DUPLICATED,
  RESPONSE_LOST,
  Switches,
} from './misbehaviour.ts';
import {
  INVALIDATE_ALL,
  ITAGS,
  PRG_INDICES,
  PRG_INVALID,
  PRG_SUCCESS,
  REQUEST_INVALIDATED,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_INVALIDATE,
  RESPONSE_PAGE_HI,
  RESPONSE_PAGE_LO,
  RESPONSE_PASID,
  RESPONSE_PASID_VALID,
  RESPONSE_PRGI,
  RESPONSE_TICK,
} from './pri-port.layout.ts';
import { NO_RECORD, PriRequester } from './pri-port.ts';
import { RequestSender } from './request-sender.ts';

export interface EndpointConfig {
  /** Base of the PRI port (`initPriPort`). */
  readonly portAt: number;
  /** Base of the function's registers (`initFunction`). */
  readonly functionAt: number;
  /** Number of this endpoint among the function's queues. Default 0. */
  readonly place?: number;
  /** Base of this endpoint's statistics (`initEndpointStats`). */
  readonly statsAt: number;
  readonly clock: Clock;
  /** Pages of a page request group at most, 1 to 512. Default 1. */
  readonly groupPages?: number;
  /** Groups whose requests take turns, 1 to 512. Default 1: one group after the other. */
  readonly interleave?: number;
  /** Entries of the translation cache, a power of two from 4. Default 64. */
  readonly atcEntries?: number;
  /** Default: behaves. */
  readonly misbehave?: Misbehaviours;
}

/** Storm groups a pump sends. */
const STORM_BURST = 64;

/** One queue of a PCIe function with ATS and PRI: page requests in groups, answers, a translation cache, and what can go wrong with them.
 * Lives in one thread, which calls {@link pump}, or waits in `EndpointQueue.isDone`, which does.
 *
 *   an answer           what becomes of the group's accesses
 *   Success             retried: translated anew, and requested anew if the page is (again) missing; also after automatic Success
 *   Invalid Request     aborted
 *   Response Failure,   aborted, as are all others: the interface is disabled until it is enabled anew, RF is set,
 *   or any other code     and later answers are ignored
 *   to no such group    nothing: UPRGI is set
 *
 * A response without a PASID that it should carry, or with another, is open in the specification: here it matches nothing.
 * From Linux's use and third-party headers, not read in the PCIe Base Specification itself: the write-1-to-clear of RF and UPRGI, what
 * Reset clears, that a failure ends the stopping state, and that a stop marker's address and index mean nothing.
 *
 * Not modelled: translated addresses, and translations that the IOMMU sends as messages (the agent is called).
 * @see hardware reference, 4 and 7; PCIe Base Specification 10.4 (codes as quoted in riscv-non-isa/riscv-iommu, iommu_ats.h) */
export class Endpoint {
  readonly #words: Words;
  readonly #port: PriRequester;
  readonly #statsAt: number;
  readonly #clock: Clock;
  readonly #switches: Switches = new Switches();
  readonly #state: InterfaceState;
  readonly #table: GroupTable;
  readonly #sender: RequestSender;
  readonly #completions: Int32Array = new Int32Array(ITAGS); // ITAGs whose completion found no room, oldest first
  #completionCount = 0;
  readonly atc: Atc;

  /** @throws IommuError EINVAL names the field that is out of range. */
  constructor(words: Words, config: EndpointConfig) {
    const call = 'Endpoint';
    const { groupPages = 1, interleave = 1, atcEntries = 64, place = 0 } = config;
    checkInteger(call, 'groupPages', groupPages, 1, 512);
    checkInteger(call, 'interleave', interleave, 1, PRG_INDICES);
    checkRegion(call, words, config.statsAt, endpointStatWords());
    this.#words = words;
    this.#statsAt = config.statsAt;
    this.#clock = config.clock;
    this.#port = new PriRequester(words, config.portAt);
    this.#state = new InterfaceState(words, config.functionAt, place);
    this.#table = new GroupTable(this.#port.groupFirst, this.#port.groupCount);
    this.atc = new Atc(atcEntries);
    this.#sender = new RequestSender(
      words,
      this.#port,
      this.#table,
      this.#state,
      this.#switches,
      config.statsAt,
      config.clock,
      { groupPages, interleave },
    );
    this.misbehave(config.misbehave ?? {});
  }

  /** Page requests without an answer. */
  get outstanding(): number {
    return this.#sender.outstanding;
  }

  /** Groups without an answer, those included that get none: their last page flag was never sent. */
  get groups(): number {
    return this.#table.live;
  }

  /** Base of the Doorbell that is rung for this endpoint. */
  get wakeAt(): number {
    return this.#port.wakeAt;
  }

  get rid(): number {
    return this.#port.rid;
  }

  /** Base of the statistics: for who translates on this endpoint's behalf. */
  get statsAt(): number {
    return this.#statsAt;
  }

  /** Opens a queue for accesses to one address space. @param pasid or -1: none. @param capacity accesses of a round, 1 to 65536.
   * @throws IommuError EINVAL names the field. */
  openQueue(pasid: number, capacity: number): EndpointQueue {
    checkInteger('Endpoint.openQueue', 'pasid', pasid, -1, 0xfffff);
    checkInteger('Endpoint.openQueue', 'capacity', capacity, 1, 65536);
    const queue = new EndpointQueue(this.#sender.queues.length, pasid, capacity, () => this.pump());
    this.#sender.addQueue(queue);
    return queue;
  }

  /** Replaces the switches. @throws IommuError EINVAL names the switch. */
  misbehave(switches: Misbehaviours): void {
    this.#switches.set(switches);
  }

  /** First page of what the switch `storm` asks for, below 2^32. Default 0. */
  setStormPage(page: number): void {
    this.#sender.setStormPage(checkInteger('Endpoint.setStormPage', 'page', page, 0, 2 ** 32 - 1));
  }

  /** Takes what has come, sends what may be sent. Never blocks, allocates nothing.
   * @returns records taken and sent; 0 when there is nothing to do. */
  pump(): number {
    const isReset = this.#state.takeReset();
    if (this.#state.takeAtsChange()) this.atc.clear();
    let done = this.#takeRecords();
    if (isReset) this.#giveUp(EP_RESETS); // what was answered before the reset has its answer
    if (this.#state.takeFailure()) this.#giveUp(EP_FAILURES); // another endpoint's
    this.#sendCompletions();
    done += this.#sender.send() + this.#sender.storm(STORM_BURST);
    this.#port.publish();
    if (this.#sender.outstanding === 0) this.#state.leave();
    return done;
  }

  /** {@link pump}s if the IOMMU has sent something: what a thread calls that is busy with cached translations. */
  poll(): void {
    if (this.#port.peek() !== NO_RECORD) this.pump();
  }

  /** Whether a thread that was about to sleep need not. */
  hasWork(): boolean {
    return this.#port.hasWork() || this.#state.hasReset();
  }

  isAtsEnabled(): boolean {
    if (this.#state.takeAtsChange()) this.atc.clear();
    return this.#state.isAtsEnabled();
  }

  /** Tells the IOMMU that the PASID's requests have all been sent: they are ahead of it. Takes no credit, gets no answer.
   * @returns false when they are not all sent, or the link has no room: pump, and try again.
   * @throws IommuError EINVAL pasid: there is no stop marker without. */
  stopMarker(pasid: number): boolean {
    checkInteger('Endpoint.stopMarker', 'pasid', pasid, 0, 0xfffff);
    const sent = this.#sender.stopMarker(pasid);
    this.#port.publish();
    return sent;
  }

  /** The function's own time-out: aborts every access that waits. Their groups stay outstanding, with their credits, until they are
   * answered or the interface is reset. @returns accesses aborted. @throws IommuError EBUSY while a group is half sent. */
  abandon(): number {
    if (this.#sender.isHalfSent)
      throw new IommuError('EBUSY', 'Endpoint.abandon', 'outstanding', this.outstanding, 'a group is half sent');
    let given = 0;
    for (const queue of this.#sender.queues) given += queue.dropSent(this.#clock()) + queue.dropUnsent(this.#clock());
    this.#table.orphan();
    this.#count(EP_DROPPED, given);
    return given;
  }

  #takeRecords(): number {
    const words = this.#words;
    let taken = 0;
    for (let at = this.#port.peek(); at !== NO_RECORD; at = this.#port.peek()) {
      if ((words[at + RESPONSE_FLAGS] & RESPONSE_INVALIDATE) !== 0) {
        if (this.#completionCount === ITAGS) break; // none of ours can be missing: more than ITAGS were sent
        this.#invalidate(at);
      } else this.#respond(at);
      this.#port.next();
      taken++;
    }
    this.#port.release();
    return taken;
  }

  #respond(at: number): void {
    if (this.#switches.isDue(RESPONSE_LOST)) {
      this.#count(EP_LOST, 1);
      return;
    }
    this.#take(at);
    if (!this.#switches.isDue(RESPONSE_DUPLICATED)) return;
    this.#count(EP_DUPLICATED, 1);
    this.#take(at);
  }

  #take(at: number): void {
    const words = this.#words;
    if (this.#state.isFailed() && !this.#switches.isOn(REQUESTS_AFTER_PRI_OFF)) {
      this.#count(EP_IGNORED, 1);
      return;
    }
    const prgi = words[at + RESPONSE_PRGI] & (PRG_INDICES - 1);
    const code = words[at + RESPONSE_CODE] & 15;
    // A failure need not name its group: the host may not have kept the index.
    if (code !== PRG_SUCCESS && code !== PRG_INVALID) {
      this.#state.fail();
      this.#state.takeFailure();
      this.#giveUp(EP_FAILURES);
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
    this.#sender.outstanding -= table.pages(group);
    table.close(group);
  }

  #invalidate(at: number): void {
    const words = this.#words;
    const pasid = (words[at + RESPONSE_FLAGS] & RESPONSE_PASID_VALID) === 0 ? -1 : words[at + RESPONSE_PASID];
    const size = Math.min(INVALIDATE_ALL, words[at + RESPONSE_CODE]);
    this.atc.invalidate(words[at + RESPONSE_PAGE_LO], words[at + RESPONSE_PAGE_HI], size, pasid);
    this.#completions[this.#completionCount++] = words[at + RESPONSE_PRGI];
  }

  /** Completions go behind the requests that were sent by now: a host that gets one has those. */
  #sendCompletions(): void {
    let sent = 0;
    while (sent < this.#completionCount) {
      if (!this.#port.post(0, 0, REQUEST_INVALIDATED, 0, this.#completions[sent], this.#clock())) break;
      sent++;
    }
    if (sent === 0) return;
    this.#completions.copyWithin(0, sent, this.#completionCount);
    this.#completionCount -= sent;
    this.#count(EP_INVALIDATIONS, sent);
  }

  #giveUp(why: number): void {
    this.#count(why, 1);
    this.#count(EP_DROPPED, this.#sender.drop());
  }

  #count(stat: number, count: number): void {
    this.#words[this.#statsAt + stat] += count;
  }
}
