import { checkInteger, IommuError } from '@faultline/core/errors';
import { Doorbell, LINE, type Words } from '@faultline/core/sync';
import { announceBit, announceWord } from '../queue/announce.ts';

// A stall port: where one device thread leaves its stalled accesses for the hardware, and finds their results.
// One writer a side, so a device thread that loses its processor between post and publish holds nobody up.
//
// A port works in rounds: post up to `capacity` slots, publish once, wait until done, read the results, reset.
//
// Ordering. Slot words are plain; these edges publish them.
//   [P] publish: slot words, then PROD           pairs with  [C] hardware: announce bit taken, PROD, then slot words
//   [D] hardware: RESULT and RESUMED, then DONE  pairs with  [R] isDone: DONE, then result() and resumedAt()
//   [W] hardware: DONE, then the wake doorbell   pairs with  the device's sleep: PARKED, then isDone()
//   [A] publish: announce bit, then the hardware doorbell  pairs with  the hardware host's sleep: PARKED, then needsWork()
// Without [W] or [A] a round could be slept on. [D] also gives the slots back: the device overwrites them after [R] only.

/** Header words, from the port's base. The first line is written before sharing, and read only from then on. */
export const PORT_CAPACITY = 0; // slots
export const PORT_STREAM = 1; // StreamID, 32 bits
export const PORT_SUBSTREAM = 2; // SubstreamID, 20 bits, or -1: none
export const PORT_INDEX = 3; // this port's bit in the announce bitmap
export const PORT_WAKE = 4; // base of the Doorbell that the device side sleeps on
export const PORT_ANNOUNCE = 5; // base of the announce bitmap
export const PORT_DOORBELL = 6; // base of the hardware's Doorbell
export const PORT_PROD: number = LINE; // slots published since the start, wrapping; the device's
export const PORT_DONE: number = 2 * LINE; // slots whose round is done, since the start, wrapping; the hardware's
export const PORT_SLOTS: number = 3 * LINE;

/** Slot words. The device writes them before [P]; RESULT and RESUMED are the hardware's from [P] to [D]. */
export const STALL_PAGE_LO = 0; // IOVA bits 43:12
export const STALL_PAGE_HI = 1; // IOVA bits 63:44
export const STALL_PERM = 2; // FAULT_PERM_*
export const STALL_RESULT = 3; // STALL_*
export const STALL_POSTED = 4; // tick
export const STALL_RESUMED = 5; // tick
/** Of a fault of stage 2 behind stage 1, the intermediate page; else IPA_HI is 0. */
export const STALL_IPA_LO = 6; // bits 43:12
export const STALL_IPA_HI = 7; // bits 51:44, and STALL_IPA_VALID
export const STALL_IPA_VALID: number = 1 << 31;
export const STALL_WORDS = 8;

export const STALL_PENDING = 0;
/** Try the access again: it may fault again. */
export const STALL_RETRY = 1;
/** The access is terminated. */
export const STALL_ABORT = 2;

export interface StallPortConfig {
  /** Slots: the stalls that one round can hold, 1 to 65535. */
  readonly capacity: number;
  /** Index of this port at its SMMU, from 0. */
  readonly port: number;
  /** StreamID of the device, 32 bits. It need not exist: the hardware then answers with C_BAD_STREAMID. */
  readonly streamId: number;
  /** SubstreamID (PASID), 20 bits, or -1 for none. */
  readonly substreamId: number;
  /** Base of the core Doorbell rung when a round is done. Several ports may name the same one. */
  readonly wakeAt: number;
  /** Base of the SMMU's announce bitmap (`smmuAnnounceBase`). */
  readonly announceBase: number;
  /** Base of the hardware host's core Doorbell. */
  readonly doorbellBase: number;
}

/** Words a port of `capacity` slots needs, a whole number of lines. */
export function stallPortWords(capacity: number): number {
  checkInteger('stallPortWords', 'capacity', capacity, 1, 65535);
  return PORT_SLOTS + Math.ceil((capacity * STALL_WORDS) / LINE) * LINE;
}

/** Lays the port out at `base`, before it is shared.
 * @throws IommuError EINVAL names the field that is out of range. */
export function initStallPort(words: Words, base: number, config: StallPortConfig): void {
  const call = 'initStallPort';
  const size = stallPortWords(config.capacity);
  checkInteger(call, 'base', base, LINE, words.length - size);
  checkInteger(call, 'port', config.port, 0, 65535);
  checkInteger(call, 'streamId', config.streamId, 0, 0xffffffff);
  checkInteger(call, 'substreamId', config.substreamId, -1, 0xfffff);
  checkInteger(call, 'wakeAt', config.wakeAt, LINE, words.length - 1);
  checkInteger(call, 'announceBase', config.announceBase, LINE, words.length - 1);
  checkInteger(call, 'doorbellBase', config.doorbellBase, LINE, words.length - 1);
  words.fill(0, base, base + size);
  words[base + PORT_CAPACITY] = config.capacity;
  words[base + PORT_STREAM] = config.streamId;
  words[base + PORT_SUBSTREAM] = config.substreamId;
  words[base + PORT_INDEX] = config.port;
  words[base + PORT_WAKE] = config.wakeAt;
  words[base + PORT_ANNOUNCE] = config.announceBase;
  words[base + PORT_DOORBELL] = config.doorbellBase;
}

/** The device's side. Make one, in the thread that owns the port: it is the only writer of PROD. */
export class StallPort {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #doneAt: number;
  readonly #slots: number;
  readonly #capacity: number;
  readonly #announceAt: number;
  readonly #announceBit: number;
  readonly #hardware: Doorbell;
  #prod: number; // PROD, which no one else writes
  #posted = 0; // slots of this round
  #published = false;
  /** Base of the Doorbell that the hardware rings when a round is done. */
  readonly wakeAt: number;

  constructor(words: Words, base: number) {
    const port = words[base + PORT_INDEX];
    this.#words = words;
    this.#prodAt = base + PORT_PROD;
    this.#doneAt = base + PORT_DONE;
    this.#slots = base + PORT_SLOTS;
    this.#capacity = words[base + PORT_CAPACITY];
    this.#announceAt = announceWord(words[base + PORT_ANNOUNCE], port);
    this.#announceBit = announceBit(port);
    this.#hardware = new Doorbell(words, words[base + PORT_DOORBELL]);
    this.#prod = Atomics.load(words, this.#prodAt);
    this.wakeAt = words[base + PORT_WAKE];
  }

  /** Slots posted in this round. */
  get posted(): number {
    return this.#posted;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Fills the next slot of this round. The hardware sees it after {@link publish}.
   * @returns its number, or -1 when all slots are in use or the round is published already. */
  post(pageLo: number, pageHi: number, perm: number, tick: number): number {
    if (this.#posted === this.#capacity || this.#published) return -1;
    const words = this.#words;
    const slot = this.#posted++;
    const at = this.#slots + slot * STALL_WORDS;
    words[at + STALL_PAGE_LO] = pageLo;
    words[at + STALL_PAGE_HI] = pageHi;
    words[at + STALL_PERM] = perm;
    words[at + STALL_RESULT] = STALL_PENDING;
    words[at + STALL_POSTED] = tick;
    words[at + STALL_IPA_HI] = 0;
    return slot;
  }

  /** As {@link post}, for an access that stage 1 has translated, to a page that stage 2 has not. */
  postStage2(pageLo: number, pageHi: number, perm: number, tick: number, ipaPage: number): number {
    const slot = this.post(pageLo, pageHi, perm, tick);
    if (slot === -1) return slot;
    const at = this.#slots + slot * STALL_WORDS;
    this.#words[at + STALL_IPA_LO] = ipaPage | 0;
    this.#words[at + STALL_IPA_HI] = Math.floor(ipaPage / 2 ** 32) | STALL_IPA_VALID;
    return slot;
  }

  /** Hands this round to the hardware: one store, one announce bit, a notify only if the hardware sleeps. Nothing posted: nothing done. */
  publish(): void {
    if (this.#posted === 0 || this.#published) return;
    this.#published = true;
    this.#prod = (this.#prod + this.#posted) | 0;
    Atomics.store(this.#words, this.#prodAt, this.#prod); // [P]
    Atomics.or(this.#words, this.#announceAt, this.#announceBit); // [P], and [A] with the ring below
    this.#hardware.ring(); // [A]
  }

  /** @returns whether every published slot has its result. True when nothing was published. */
  isDone(): boolean {
    return Atomics.load(this.#words, this.#doneAt) === this.#prod; // [R]
  }

  /** @returns STALL_RETRY or STALL_ABORT. Meaningful once {@link isDone}. */
  result(slot: number): number {
    return this.#words[this.#slots + slot * STALL_WORDS + STALL_RESULT];
  }

  /** @returns the tick at which the hardware resumed the slot. Meaningful once {@link isDone}. */
  resumedAt(slot: number): number {
    return this.#words[this.#slots + slot * STALL_WORDS + STALL_RESUMED];
  }

  /** @returns the tick handed to {@link post}. */
  postedAt(slot: number): number {
    return this.#words[this.#slots + slot * STALL_WORDS + STALL_POSTED];
  }

  /** Starts the next round.
   * @throws IommuError EBUSY while the hardware still holds slots of this one. */
  reset(): void {
    if (!this.isDone())
      throw new IommuError('EBUSY', 'StallPort.reset', 'posted', this.#posted, 'stalls are outstanding');
    this.#posted = 0;
    this.#published = false;
  }
}
