import { IommuError } from '@faultline/core/errors';
import { Doorbell, type Words } from '@faultline/core/sync';
import { announceWord, PORTS_PER_ANNOUNCE } from '../smmu-v3/stall-port.ts';
import {
  PRI_ANNOUNCE,
  PRI_CREDITS,
  PRI_DOORBELL,
  PRI_DROPPED,
  PRI_GROUP_COUNT,
  PRI_GROUP_FIRST,
  PRI_INDEX,
  PRI_RECORD_WORDS,
  PRI_REQUEST_CONS,
  PRI_REQUEST_PROD,
  PRI_REQUEST_SLOTS,
  PRI_RESPONSE_CONS,
  PRI_RESPONSE_PROD,
  PRI_RESPONSE_SLOTS,
  PRI_RID,
  PRI_RINGS,
  PRI_STARVED,
  PRI_WAKE,
  REQUEST_FLAGS,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_PRGI,
  REQUEST_TICK,
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

// The two ends of a PRI port: PriRequester in the endpoint's thread, PriServant in the thread that plays the IOMMU's hardware.
// One writer a side, so an endpoint that loses its processor in between holds nobody up.
//
// Ordering. Record words are plain; these edges publish them.
//   [P] PriRequester.publish: records, then REQUEST_PROD    pairs with  [C] PriServant.peek: announce bit taken, REQUEST_PROD, then records
//   [R] PriServant.release: records, then REQUEST_CONS      pairs with  [F] PriRequester.claim: REQUEST_CONS, then records overwritten
//   [D] PriServant.publish: records, then RESPONSE_PROD     pairs with  [T] PriRequester.peek: RESPONSE_PROD, then records
//   [G] PriRequester.release: records, then RESPONSE_CONS   pairs with  [B] PriServant: RESPONSE_CONS, then records overwritten
//   [A] publish: announce bit, then the hardware doorbell   pairs with  the hardware host's sleep: PARKED, then its look for work
//   [W] PriServant.publish: RESPONSE_PROD, then the wake doorbell  pairs with  the endpoint's sleep: PARKED, then its look for responses
//   [S] claim: STARVED, then REQUEST_CONS again             pairs with  release: REQUEST_CONS, then STARVED
// [A], [W] and [S] are store-then-load on both sides: what was sent is never slept on, nor is room.

/** No record. Offset 0 is never one. */
export const NO_RECORD = 0;

/** The endpoint's end. Make one, in the thread that owns the port. */
export class PriRequester {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #starvedAt: number;
  readonly #requests: number;
  readonly #slots: number;
  readonly #responseProdAt: number;
  readonly #responseConsAt: number;
  readonly #responses: number;
  readonly #responseMask: number;
  readonly #announceAt: number;
  readonly #announceBit: number;
  readonly #hardware: Doorbell;
  #published: number; // REQUEST_PROD, which no one else writes
  #claimed: number;
  #starved = false; // the last claim found no room
  #limit: number; // REQUEST_CONS when last read, plus the slots
  #taken: number; // RESPONSE_CONS, once released
  #released: number; // RESPONSE_CONS, which no one else writes
  #seen: number; // RESPONSE_PROD when last read
  readonly rid: number;
  /** Page requests this port may have outstanding at most. */
  readonly credits: number;
  readonly groupFirst: number;
  readonly groupCount: number;
  /** Base of the Doorbell that the IOMMU rings when responses are there, or room after a {@link claim} in vain. */
  readonly wakeAt: number;

  constructor(words: Words, base: number) {
    checkPort('PriRequester', words, base);
    const port = words[base + PRI_INDEX];
    this.#words = words;
    this.#prodAt = base + PRI_REQUEST_PROD;
    this.#consAt = base + PRI_REQUEST_CONS;
    this.#starvedAt = base + PRI_STARVED;
    this.#requests = base + PRI_RINGS;
    this.#slots = words[base + PRI_REQUEST_SLOTS];
    this.#responseProdAt = base + PRI_RESPONSE_PROD;
    this.#responseConsAt = base + PRI_RESPONSE_CONS;
    this.#responses = this.#requests + this.#slots * PRI_RECORD_WORDS;
    this.#responseMask = words[base + PRI_RESPONSE_SLOTS] - 1;
    this.#announceAt = announceWord(words[base + PRI_ANNOUNCE], port);
    this.#announceBit = 1 << (port % PORTS_PER_ANNOUNCE);
    this.#hardware = new Doorbell(words, words[base + PRI_DOORBELL]);
    this.#published = Atomics.load(words, this.#prodAt);
    this.#claimed = this.#published;
    this.#limit = (Atomics.load(words, this.#consAt) + this.#slots) | 0;
    this.#released = Atomics.load(words, this.#responseConsAt);
    this.#taken = this.#released;
    this.#seen = this.#released;
    this.rid = words[base + PRI_RID];
    this.credits = words[base + PRI_CREDITS];
    this.groupFirst = words[base + PRI_GROUP_FIRST];
    this.groupCount = words[base + PRI_GROUP_COUNT];
    this.wakeAt = words[base + PRI_WAKE];
  }

  /** Takes the next request record to fill; several may be claimed before they are published together. Never blocks.
   * @returns its word offset, or NO_RECORD while the IOMMU has not taken enough: it then rings the wake doorbell once there is room. */
  claim(): number {
    const at = this.#claimed;
    if (at === this.#limit && !this.#findRoom()) return NO_RECORD;
    this.#claimed = (at + 1) | 0;
    return this.#requests + (at & (this.#slots - 1)) * PRI_RECORD_WORDS;
  }

  /** Claims and fills a record. @param flags REQUEST_* bits. @returns false when there is no room, as {@link claim}. */
  post(pageLo: number, pageHi: number, flags: number, pasid: number, prgi: number, tick: number): boolean {
    const at = this.claim();
    if (at === NO_RECORD) return false;
    const words = this.#words;
    words[at + REQUEST_PAGE_LO] = pageLo;
    words[at + REQUEST_PAGE_HI] = pageHi;
    words[at + REQUEST_FLAGS] = flags;
    words[at + REQUEST_PASID] = pasid;
    words[at + REQUEST_PRGI] = prgi;
    words[at + REQUEST_TICK] = tick;
    return true;
  }

  /** Sends what was claimed: one store, one announce bit, a notify only if the hardware sleeps. Nothing claimed: does nothing. */
  publish(): void {
    if (this.#claimed === this.#published) return;
    this.#published = this.#claimed;
    Atomics.store(this.#words, this.#prodAt, this.#published); // [P]
    Atomics.or(this.#words, this.#announceAt, this.#announceBit); // [P], and [A] with the ring below
    this.#hardware.ring(); // [A]
  }

  /** @returns word offset of the next record from the IOMMU, or NO_RECORD. Ours until {@link release}. */
  peek(): number {
    if (this.#taken === this.#seen) {
      this.#seen = Atomics.load(this.#words, this.#responseProdAt); // [T]
      if (this.#taken === this.#seen) return NO_RECORD;
    }
    return this.#responses + (this.#taken & this.#responseMask) * PRI_RECORD_WORDS;
  }

  /** Steps over the record that {@link peek} gave (call it only then). */
  next(): void {
    this.#taken = (this.#taken + 1) | 0;
  }

  /** Gives back all records stepped over, with one store. */
  release(): void {
    if (this.#taken === this.#released) return;
    this.#released = this.#taken;
    Atomics.store(this.#words, this.#responseConsAt, this.#released); // [G]
  }

  /** Whether {@link peek} would find a record, or {@link claim} room after it had none: what a thread looks at before it sleeps. */
  hasWork(): boolean {
    if (Atomics.load(this.#words, this.#responseProdAt) !== this.#taken) return true; // [W]
    return this.#starved && ((Atomics.load(this.#words, this.#consAt) + this.#slots) | 0) !== this.#limit; // [S]
  }

  #findRoom(): boolean {
    const words = this.#words;
    this.#limit = (Atomics.load(words, this.#consAt) + this.#slots) | 0; // [F]
    if (this.#limit === this.#claimed) {
      Atomics.store(words, this.#starvedAt, 1); // [S]
      this.#limit = (Atomics.load(words, this.#consAt) + this.#slots) | 0; // [F], [S]
    }
    this.#starved = this.#limit === this.#claimed;
    return !this.#starved;
  }
}

/** The IOMMU's end. Make one, in the thread that plays the hardware (PriPortSet makes one for each port). */
export class PriServant {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #starvedAt: number;
  readonly #requests: number;
  readonly #mask: number;
  readonly #responseProdAt: number;
  readonly #responseConsAt: number;
  readonly #droppedAt: number;
  readonly #responses: number;
  readonly #responseSlots: number;
  readonly #wake: Doorbell;
  #at: number; // the request to read next
  #released: number; // REQUEST_CONS, which no one else writes
  #seen: number; // REQUEST_PROD when last read
  #published: number; // RESPONSE_PROD, which no one else writes
  #filled: number;
  #limit: number; // RESPONSE_CONS when last read, plus the slots
  #dropped = 0;
  readonly rid: number;
  readonly credits: number;
  readonly groupFirst: number;
  readonly groupCount: number;

  constructor(words: Words, base: number) {
    checkPort('PriServant', words, base);
    const slots = words[base + PRI_REQUEST_SLOTS];
    this.#words = words;
    this.#prodAt = base + PRI_REQUEST_PROD;
    this.#consAt = base + PRI_REQUEST_CONS;
    this.#starvedAt = base + PRI_STARVED;
    this.#requests = base + PRI_RINGS;
    this.#mask = slots - 1;
    this.#responseProdAt = base + PRI_RESPONSE_PROD;
    this.#responseConsAt = base + PRI_RESPONSE_CONS;
    this.#droppedAt = base + PRI_DROPPED;
    this.#responses = this.#requests + slots * PRI_RECORD_WORDS;
    this.#responseSlots = words[base + PRI_RESPONSE_SLOTS];
    this.#wake = new Doorbell(words, words[base + PRI_WAKE]);
    this.#released = Atomics.load(words, this.#consAt);
    this.#at = this.#released;
    this.#seen = this.#released;
    this.#published = Atomics.load(words, this.#responseProdAt);
    this.#filled = this.#published;
    this.#limit = (Atomics.load(words, this.#responseConsAt) + this.#responseSlots) | 0;
    this.rid = words[base + PRI_RID];
    this.credits = words[base + PRI_CREDITS];
    this.groupFirst = words[base + PRI_GROUP_FIRST];
    this.groupCount = words[base + PRI_GROUP_COUNT];
  }

  /** @returns word offset of the next request record, or NO_RECORD. Ours until {@link release}. */
  peek(): number {
    if (this.#at === this.#seen) {
      this.#seen = Atomics.load(this.#words, this.#prodAt); // [C]
      if (this.#at === this.#seen) return NO_RECORD;
    }
    return this.#requests + (this.#at & this.#mask) * PRI_RECORD_WORDS;
  }

  /** Steps over the record that {@link peek} gave (call it only then). */
  next(): void {
    this.#at = (this.#at + 1) | 0;
  }

  /** Gives back all records stepped over, with one store; wakes an endpoint that waits for room. */
  release(): void {
    if (this.#at === this.#released) return;
    this.#released = this.#at;
    Atomics.store(this.#words, this.#consAt, this.#released); // [R], [S]
    if (Atomics.load(this.#words, this.#starvedAt) === 0) return;
    Atomics.store(this.#words, this.#starvedAt, 0);
    this.#wake.ring();
  }

  /** Queues a page group response; the endpoint sees it after {@link publish}. Never blocks.
   * @param code PRG_*, or whatever else software put into its command: 4 bits.
   * @param pasid the PASID, or -1: none.
   * @returns false when the endpoint takes no responses: dropped and counted. A ring holds more than the credits, so this
   * happens to a function that broke its limit, or died. */
  respond(prgi: number, code: number, pasid: number, tick: number): boolean {
    const at = this.#claim();
    if (at === NO_RECORD) return false;
    const words = this.#words;
    words[at + RESPONSE_PRGI] = prgi;
    words[at + RESPONSE_CODE] = code;
    words[at + RESPONSE_FLAGS] = pasid < 0 ? 0 : RESPONSE_PASID_VALID;
    words[at + RESPONSE_PASID] = Math.max(pasid, 0);
    words[at + RESPONSE_TICK] = tick;
    return true;
  }

  /** Queues an invalidation request, behind the responses queued before. Its completion comes as a request record with
   * REQUEST_INVALIDATED and the same ITAG in PRGI, behind the requests that the endpoint had sent by then.
   * @param itag 0 to 31, not in use; @param sizeLg2 log2 of the pages, or INVALIDATE_ALL; @param pasid or -1: all.
   * @returns false as {@link respond}: no completion will come, so the IOMMU times out. */
  invalidate(itag: number, pageLo: number, pageHi: number, sizeLg2: number, pasid: number): boolean {
    const at = this.#claim();
    if (at === NO_RECORD) return false;
    const words = this.#words;
    words[at + RESPONSE_PRGI] = itag;
    words[at + RESPONSE_CODE] = sizeLg2;
    words[at + RESPONSE_FLAGS] = RESPONSE_INVALIDATE | (pasid < 0 ? 0 : RESPONSE_PASID_VALID);
    words[at + RESPONSE_PASID] = Math.max(pasid, 0);
    words[at + RESPONSE_PAGE_LO] = pageLo;
    words[at + RESPONSE_PAGE_HI] = pageHi;
    return true;
  }

  /** Sends what was queued, with one store; wakes the endpoint if it sleeps. Nothing queued: does nothing. */
  publish(): void {
    if (this.#filled === this.#published) return;
    this.#published = this.#filled;
    Atomics.store(this.#words, this.#responseProdAt, this.#published); // [D]
    this.#wake.ring(); // [W]
  }

  #claim(): number {
    const at = this.#filled;
    if (at === this.#limit) {
      this.#limit = (Atomics.load(this.#words, this.#responseConsAt) + this.#responseSlots) | 0; // [B]
      if (at === this.#limit) {
        Atomics.store(this.#words, this.#droppedAt, ++this.#dropped);
        return NO_RECORD;
      }
    }
    this.#filled = (at + 1) | 0;
    return this.#responses + (at & (this.#responseSlots - 1)) * PRI_RECORD_WORDS;
  }
}

/** Responses and invalidations that found no room since the start. */
export function priPortDropped(words: Words, base: number): number {
  return Atomics.load(words, base + PRI_DROPPED) >>> 0;
}

function checkPort(call: string, words: Words, base: number): void {
  if (words[base + PRI_REQUEST_SLOTS] === 0 || words[base + PRI_CREDITS] === 0)
    throw new IommuError('EINVAL', call, 'base', base, 'no PRI port was laid out here');
}
