import type { Words } from '@faultline/core/sync';
import type { PriPortSet } from '../pcie/index.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import { responseCode, responsePasid, responsePrgi, responseRid } from './descriptor-codec.ts';
import { type DeviceTlbs, NO_RID } from './device-tlbs.ts';
import type { EntryCache } from './entry-cache.ts';
import type { EventSignal } from './event-signal.ts';
import {
  checkInvalidation,
  DESCRIPTOR_WORDS,
  INV_DEVICE_TLB,
  INV_PAGE_GROUP_RESPONSE,
  INV_PASID_DEVICE_TLB,
  INV_WAIT,
  invalidationType,
} from './invalidations.ts';
import type { IotlbControl } from './iotlb.ts';
import { VTD_FSTS, VTD_IQ_WAITERS, VTD_IQA, VTD_IQERCD, VTD_IQH, VTD_IQT, VTD_STATS } from './layout.ts';
import {
  FSTS_ICE,
  FSTS_IQE,
  FSTS_ITE,
  IQA_DW,
  IQEI_FETCH,
  IQEI_NONE,
  IQEI_TAIL,
  IQEI_TAIL_MISALIGNED,
  IQEI_WIDTH,
  QUEUE_ADDRESS_MASK,
  QUEUE_ORDER_MASK,
} from './registers.ts';
import {
  STAT_COMPLETION_ERRORS,
  STAT_DESCRIPTORS,
  STAT_DEVICE_TLB,
  STAT_INVALIDATIONS,
  STAT_QUEUE_ERRORS,
  STAT_RESPONSES,
  STAT_STRAYS,
  STAT_TIMEOUTS,
} from './stats.ts';
import { wordOfAddress } from './tables.ts';
import { descriptorWords } from './unit.ts';
import type { Waits } from './waits.ts';

// Takes the invalidation queue in order. Everything but a device-TLB invalidation takes effect here and now; waits.ts says when a wait is over.
//
// Ordering. Descriptors are plain.
//   [P] InvalidationQueue: descriptors, then IQT        pairs with  [C] consume: IQT, then descriptors
//   [R] release: effects, then IQH                      pairs with  [F] InvalidationQueue: IQH, then descriptors overwritten
//   [W] release: IQH, then WAITERS                      pairs with  InvalidationQueue: WAITERS, then IQH (compared inside Atomics.wait)
//   [X] an error: IQERCD and IQH, then FSTS             pairs with  InvalidationQueue.recover: FSTS, then IQERCD and IQH

export class InvalidationUnit {
  readonly #words: Words;
  readonly #base: number;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #tables: EntryCache;
  readonly #iotlb: IotlbControl;
  readonly #devices: DeviceTlbs;
  readonly #waits: Waits;
  readonly #signal: EventSignal;
  readonly #tick: PumpTick;
  readonly #size: number; // words of a descriptor
  #frozen = false; // an error is not acknowledged
  #enabled = false;
  #widthFits = true; // IQA.DW is what the unit works with
  #queue = 0; // word offset
  #bytes = 0;
  #head = 0; // IQH, as far as consumed
  #tail = 0; // IQT when last read: read again only when the head has reached it
  #released = 0;

  constructor(
    words: Words,
    base: number,
    ports: PriPortSet,
    tables: EntryCache,
    iotlb: IotlbControl,
    devices: DeviceTlbs,
    waits: Waits,
    signal: EventSignal,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + VTD_STATS;
    this.#ports = ports;
    this.#tables = tables;
    this.#iotlb = iotlb;
    this.#devices = devices;
    this.#waits = waits;
    this.#signal = signal;
    this.#tick = tick;
    this.#size = descriptorWords(words, base);
  }

  /** QIE. On: from the head of the queue that IQA names. Off: what is under way stays under way; nothing more is taken. */
  enable(on: boolean): void {
    const words = this.#words;
    this.#enabled = on;
    if (on) {
      const iqa = words[this.#base + VTD_IQA];
      this.#queue = wordOfAddress(iqa & QUEUE_ADDRESS_MASK, words[this.#base + VTD_IQA + 1]);
      this.#bytes = 4096 << (iqa & QUEUE_ORDER_MASK);
      this.#widthFits = ((iqa & IQA_DW) !== 0) === (this.#size === DESCRIPTOR_WORDS);
    }
    this.#head = this.#tail = this.#released = 0;
    Atomics.store(words, this.#base + VTD_IQH, 0); // whenever the queue is off
  }

  /** Ends what is over or late, then takes up to `budget` descriptors. @returns descriptors taken and waits ended. */
  consume(budget: number): number {
    const late = this.#devices.expire();
    if (late !== NO_RID) this.#timeOut(late);
    const ended = this.#waits.settle();
    if (!this.#mayStart()) return ended;
    let done = 0;
    while (done < budget && this.#takeOne()) done++;
    this.#words[this.#stats + STAT_DESCRIPTORS] += done;
    this.#release();
    return ended + done;
  }

  /** Whether {@link consume} would get anywhere, looking afresh. */
  canConsume(): boolean {
    if (this.#devices.busy !== 0 && this.#devices.late()) return true;
    if (!this.#mayStart() || this.#devices.full || this.#waits.full) return false;
    return Atomics.load(this.#words, this.#base + VTD_IQT) !== this.#head;
  }

  /** A device completed an invalidation. Unexpected: an invalidation completion error, which stops nothing. */
  completed(port: number, tag: number): void {
    if (this.#devices.complete(port, tag)) return;
    const words = this.#words;
    words[this.#stats + STAT_COMPLETION_ERRORS]++;
    if ((Atomics.load(words, this.#base + VTD_FSTS) & FSTS_ICE) === 0) {
      const at = this.#base + VTD_IQERCD + 1;
      Atomics.store(words, at, (words[at] & 0xffff) | (this.#ports.rid(port) << 16));
    }
    this.#signal.fault(FSTS_ICE);
  }

  #mayStart(): boolean {
    if (!this.#enabled || this.#waits.fenced) return false;
    if (this.#frozen) {
      this.#frozen = (Atomics.load(this.#words, this.#base + VTD_FSTS) & (FSTS_IQE | FSTS_ITE)) !== 0;
      this.#tail = this.#head; // software may have moved a tail that made no sense
    }
    return !this.#frozen;
  }

  /** @returns whether a descriptor was taken. */
  #takeOne(): boolean {
    if (this.#tail === this.#head && !this.#readTail()) return false;
    const words = this.#words;
    const at = this.#queue + (this.#head >>> 2);
    if (this.#queue === 0 || at + this.#size > words.length) return this.#fail(IQEI_FETCH);
    const error = checkInvalidation(words, at, this.#size);
    if (error !== IQEI_NONE) return this.#fail(error);
    if (!this.#execute(at)) return false;
    this.#head = (this.#head + this.#size * 4) & (this.#bytes - 1);
    return !this.#waits.fenced;
  }

  /** @returns whether there is anything, and the tail makes sense. */
  #readTail(): boolean {
    const tail = Atomics.load(this.#words, this.#base + VTD_IQT); // [C]
    if (tail === this.#head) return false;
    if (!this.#widthFits) return this.#fail(IQEI_WIDTH);
    if (tail < 0 || tail >= this.#bytes) return this.#fail(IQEI_TAIL);
    if ((tail & (this.#size * 4 - 1)) !== 0) return this.#fail(IQEI_TAIL_MISALIGNED);
    this.#tail = tail;
    return true;
  }

  /** @returns false when it has to wait for a tag, or for a wait to end. */
  #execute(at: number): boolean {
    const type = invalidationType(this.#words, at);
    if (type === INV_PAGE_GROUP_RESPONSE) this.#respond(at);
    else if (type === INV_WAIT) {
      this.#release(); // who finds the wait done finds the queue's room, too
      return this.#waits.take(at);
    } else if (type === INV_DEVICE_TLB || type === INV_PASID_DEVICE_TLB) return this.#sendToDevice(at);
    else {
      this.#words[this.#stats + STAT_INVALIDATIONS]++;
      this.#tables.invalidate(type, at); // there is no interrupt entry cache
      this.#iotlb.invalidate(type, at);
    }
    return true;
  }

  #respond(at: number): void {
    const words = this.#words;
    words[this.#stats + STAT_RESPONSES]++;
    const sent = this.#ports.respond(
      responseRid(words, at),
      responsePrgi(words, at),
      responseCode(words, at),
      responsePasid(words, at),
      this.#tick.now(),
    );
    if (!sent) words[this.#stats + STAT_STRAYS]++;
  }

  #sendToDevice(at: number): boolean {
    if (this.#devices.full) return false;
    this.#words[this.#stats + STAT_INVALIDATIONS]++;
    this.#words[this.#stats + STAT_DEVICE_TLB]++;
    this.#devices.send(at);
    return true;
  }

  /** Invalidations that took too long stop the queue and abort every wait. */
  #timeOut(rid: number): void {
    const words = this.#words;
    words[this.#stats + STAT_TIMEOUTS]++;
    this.#waits.abort();
    this.#frozen = true;
    this.#release();
    if ((Atomics.load(words, this.#base + VTD_FSTS) & FSTS_ITE) === 0) {
      const at = this.#base + VTD_IQERCD + 1;
      Atomics.store(words, at, (words[at] & ~0xffff) | rid);
    }
    this.#signal.fault(FSTS_ITE); // [X]
  }

  /** The head stays on the bad descriptor; earlier ones have taken effect. @returns false */
  #fail(reason: number): false {
    const words = this.#words;
    words[this.#stats + STAT_QUEUE_ERRORS]++;
    this.#frozen = true;
    this.#release();
    Atomics.store(words, this.#base + VTD_IQERCD, reason);
    this.#signal.fault(FSTS_IQE); // [X]
    return false;
  }

  /** Tells who submits, with one store, what was taken. */
  #release(): void {
    if (this.#head === this.#released) return;
    this.#released = this.#head;
    Atomics.store(this.#words, this.#base + VTD_IQH, this.#head); // [R] [W]
    if (Atomics.load(this.#words, this.#base + VTD_IQ_WAITERS) !== 0) Atomics.notify(this.#words, this.#base + VTD_IQH); // [W]
  }
}
