import { checkInteger, IommuError } from '@faultline/core/errors';
import { checkRegion } from '@faultline/core/memory';
import type { Clock, Words } from '@faultline/core/sync';
import { AnswerTaker } from './answer-taker.ts';
import { Atc } from './atc.ts';
import { Credits } from './credits.ts';
import { EndpointQueue } from './endpoint-queue.ts';
import { EP_DROPPED, EP_FAILURES, EP_RESETS, endpointStatWords } from './endpoint-stats.ts';
import { GroupTable } from './group-table.ts';
import { InterfaceState } from './interface-state.ts';
import { InvalidationTaker } from './invalidation-taker.ts';
import { type Misbehaviours, Switches } from './misbehaviour.ts';
import { PRG_INDICES, RESPONSE_FLAGS, RESPONSE_INVALIDATE } from './pri-port.layout.ts';
import { NO_RECORD } from './pri-port-ends.ts';
import { PriRequester } from './pri-requester.ts';
import { RequestSender } from './request-sender.ts';
import { Storm } from './storm.ts';

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
 * Not verified: that a failure ends what is outstanding, so that the interface has stopped, and that a stop marker's address and index
 * mean nothing. The registers are as implementers restate them; see pri-capability.ts.
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
  readonly #credits: Credits;
  readonly #storm: Storm;
  readonly #answers: AnswerTaker;
  readonly #invalidations: InvalidationTaker;
  readonly atc: Atc;

  /** @throws IommuError EINVAL names the field that is out of range. */
  constructor(words: Words, config: EndpointConfig) {
    const call = 'Endpoint';
    const { groupPages = 1, interleave = 1, atcEntries = 64, place = 0, statsAt, clock } = config;
    checkInteger(call, 'groupPages', groupPages, 1, 512);
    checkInteger(call, 'interleave', interleave, 1, PRG_INDICES);
    checkRegion(call, words, statsAt, endpointStatWords());
    const port = new PriRequester(words, config.portAt);
    const state = new InterfaceState(words, config.functionAt, place);
    const table = new GroupTable(port.groupFirst, port.groupCount);
    const switches = this.#switches;
    const credits = new Credits(words, port.credits, state, switches, statsAt);
    const sending = { groupPages, interleave };
    const sender = new RequestSender(words, port, table, state, switches, credits, statsAt, clock, sending);
    this.#words = words;
    this.#statsAt = statsAt;
    this.#clock = clock;
    this.#port = port;
    this.#state = state;
    this.#table = table;
    this.#credits = credits;
    this.#sender = sender;
    this.atc = new Atc(atcEntries);
    this.#storm = new Storm(words, port, table, state, switches, credits, statsAt, clock);
    this.#answers = new AnswerTaker(words, state, table, sender, switches, credits, statsAt);
    this.#invalidations = new InvalidationTaker(words, port, this.atc, statsAt, clock);
    this.misbehave(config.misbehave ?? {});
  }

  /** Page requests without an answer. */
  get outstanding(): number {
    return this.#credits.outstanding;
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
    this.#storm.startAt(checkInteger('Endpoint.setStormPage', 'page', page, 0, 2 ** 32 - 1));
  }

  /** Takes what has come, sends what may be sent. Never blocks, allocates nothing.
   * @returns records taken and sent; 0 when there is nothing to do. */
  pump(): number {
    const isReset = this.#state.takeReset();
    if (this.#state.takeAtsChange()) this.atc.clear();
    let done = this.#takeRecords();
    if (isReset) this.#answers.giveUp(EP_RESETS); // what was answered before the reset has its answer
    if (this.#state.takeFailure()) this.#answers.giveUp(EP_FAILURES); // another endpoint's
    this.#invalidations.sendCompletions();
    done += this.#sender.send();
    if (!this.#sender.isHalfSent) done += this.#storm.send(STORM_BURST, this.#sender.queues[0]?.pasid ?? -1);
    this.#port.publish();
    if (this.#credits.outstanding === 0) this.#state.leave();
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
    this.#words[this.#statsAt + EP_DROPPED] += given;
    return given;
  }

  #takeRecords(): number {
    const words = this.#words;
    let taken = 0;
    for (let at = this.#port.peek(); at !== NO_RECORD; at = this.#port.peek()) {
      if ((words[at + RESPONSE_FLAGS] & RESPONSE_INVALIDATE) !== 0) {
        if (!this.#invalidations.take(at)) break;
      } else this.#answers.take(at);
      this.#port.next();
      taken++;
    }
    this.#port.release();
    return taken;
  }
}
