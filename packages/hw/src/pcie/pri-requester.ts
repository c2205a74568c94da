import { Doorbell, type Words } from '@faultline/core/sync';
import { announceBit, announceWord } from '../queue/announce.ts';
import {
  PRI_ANNOUNCE,
  PRI_CREDITS,
  PRI_DOORBELL,
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
} from './pri-port.layout.ts';
import { checkPort, NO_RECORD } from './pri-port-ends.ts';

/** The endpoint's end of a PRI port. Make one, in the thread that owns the port. Orderings: pri-port.ts. */
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
    this.#announceBit = announceBit(port);
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
