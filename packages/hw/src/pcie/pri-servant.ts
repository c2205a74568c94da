import { Doorbell, type Words } from '@faultline/core/sync';
import {
  PRI_CREDITS,
  PRI_DROPPED,
  PRI_GROUP_COUNT,
  PRI_GROUP_FIRST,
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
import { checkPort, NO_RECORD } from './pri-port-ends.ts';

/** The IOMMU's end of a PRI port. Orderings: pri-port.ts. Make one, in the thread that plays the hardware (PriPortSet makes one for each port). */
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
