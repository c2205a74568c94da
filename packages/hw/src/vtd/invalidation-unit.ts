import type { Words } from '@faultline/core/sync';
import type { PriPortSet } from '../pcie/index.ts';
import type { PumpTick } from '../smmu-v3/pump-tick.ts';
import {
  responseCode,
  responsePasid,
  responsePrgi,
  responseRid,
  WAIT_DRAIN,
  WAIT_FENCE,
  WAIT_INTERRUPT,
  WAIT_STATUS,
  waitWordAt,
} from './descriptor-codec.ts';
import { type DeviceTlbs, NO_RID } from './device-tlbs.ts';
import type { EntryCache } from './entry-cache.ts';
import type { EventSignal } from './event-signal.ts';
import {
  CONTEXT_DEVICE,
  checkInvalidation,
  INV_CONTEXT,
  INV_DEVICE_TLB,
  INV_PAGE_GROUP_RESPONSE,
  INV_PASID_CACHE,
  INV_PASID_DEVICE_TLB,
  INV_WAIT,
  invalidationType,
  PASID_CACHE_GLOBAL,
  PASID_CACHE_ONE,
} from './invalidations.ts';
import {
  descriptorWords,
  STAT_ABORTED,
  STAT_COMPLETION_ERRORS,
  STAT_DESCRIPTORS,
  STAT_DEVICE_TLB,
  STAT_DRAINS,
  STAT_INVALIDATIONS,
  STAT_QUEUE_ERRORS,
  STAT_RESPONSES,
  STAT_STRAYS,
  STAT_TIMEOUTS,
  STAT_WAITS,
  VTD_FSTS,
  VTD_IQ_WAITERS,
  VTD_IQA,
  VTD_IQERCD,
  VTD_IQH,
  VTD_IQT,
  VTD_STATS,
} from './layout.ts';
import {
  FSTS_ICE,
  FSTS_IQE,
  FSTS_ITE,
  IQEI_FETCH,
  IQEI_NONE,
  IQEI_TAIL,
  QUEUE_ADDRESS_MASK,
  QUEUE_ORDER_MASK,
} from './registers.ts';
import type { RequestUnit } from './request-unit.ts';
import { wordOfAddress } from './tables.ts';
import { WaitList } from './wait-list.ts';

// Takes the invalidation queue in order. Everything but a device-TLB invalidation takes effect here and now; a wait is over when the device-TLB
// invalidations before it are, and until then what follows may start, unless the wait has FN.
//
// Ordering. Descriptors are plain.
//   [P] InvalidationQueue: descriptors, then IQT        pairs with  [C] consume: IQT, then descriptors
//   [R] release: effects, then IQH                      pairs with  [F] InvalidationQueue: IQH, then descriptors overwritten
//   [W] release: IQH, then WAITERS                      pairs with  InvalidationQueue: WAITERS, then IQH (compared inside Atomics.wait)
//   [S] a wait: responses and requests out, then STATUS pairs with  VtdOps: STATUS, then whatever the wait was to order
//   [X] an error: IQERCD and IQH, then FSTS             pairs with  InvalidationQueue.recover: FSTS, then IQERCD and IQH

export class InvalidationUnit {
  readonly #words: Words;
  readonly #base: number;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #tables: EntryCache;
  readonly #requests: RequestUnit;
  readonly #devices: DeviceTlbs;
  readonly #signal: EventSignal;
  readonly #tick: PumpTick;
  readonly #size: number; // words of a descriptor
  readonly #waits: WaitList = new WaitList();
  #fenced = false; // a wait with FN is under way
  #frozen = false; // an error is not acknowledged
  #enabled = false;
  #queue = 0; // word offset
  #bytes = 0;
  #head = 0; // IQH, as far as consumed
  #released = 0;

  constructor(
    words: Words,
    base: number,
    ports: PriPortSet,
    tables: EntryCache,
    requests: RequestUnit,
    devices: DeviceTlbs,
    signal: EventSignal,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + VTD_STATS;
    this.#ports = ports;
    this.#tables = tables;
    this.#requests = requests;
    this.#devices = devices;
    this.#signal = signal;
    this.#tick = tick;
    this.#size = descriptorWords(words, base);
  }

  /** QIE. On: from the head of the queue that IQA names. Off: what is under way stays under way; nothing more is taken. */
  enable(on: boolean): void {
    const words = this.#words;
    this.#enabled = on;
    if (!on) return;
    const iqa = words[this.#base + VTD_IQA];
    this.#queue = wordOfAddress(iqa & QUEUE_ADDRESS_MASK, words[this.#base + VTD_IQA + 1]);
    this.#bytes = 4096 << (iqa & QUEUE_ORDER_MASK);
    this.#head = this.#released = 0;
    Atomics.store(words, this.#base + VTD_IQH, 0);
  }

  /** Waits that are not over. */
  get pendingWaits(): number {
    return this.#waits.count;
  }

  /** Ends what is over or late, then takes up to `budget` descriptors. @returns descriptors taken and waits ended. */
  consume(budget: number): number {
    const ended = this.#settle();
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
    if (!this.#enabled || this.#fenced) return false;
    if (this.#frozen) this.#frozen = (Atomics.load(this.#words, this.#base + VTD_FSTS) & (FSTS_IQE | FSTS_ITE)) !== 0;
    return !this.#frozen;
  }

  /** @returns whether a descriptor was taken. */
  #takeOne(): boolean {
    const words = this.#words;
    const tail = Atomics.load(words, this.#base + VTD_IQT); // [C]
    if (tail === this.#head || this.#fenced) return false;
    const bytes = this.#size * 4;
    if (tail < 0 || tail >= this.#bytes || tail % bytes !== 0) return this.#fail(IQEI_TAIL);
    const at = this.#queue + (this.#head >>> 2);
    if (at === 0 || at + this.#size > words.length) return this.#fail(IQEI_FETCH);
    const error = checkInvalidation(words, at, this.#size);
    if (error !== IQEI_NONE) return this.#fail(error);
    if (!this.#execute(at)) return false;
    this.#head = (this.#head + bytes) % this.#bytes;
    return true;
  }

  /** @returns false when it has to wait for a tag, or for a wait to end. */
  #execute(at: number): boolean {
    const type = invalidationType(this.#words, at);
    if (type === INV_PAGE_GROUP_RESPONSE) this.#respond(at);
    else if (type === INV_WAIT) return this.#wait(at);
    else if (type === INV_DEVICE_TLB || type === INV_PASID_DEVICE_TLB) return this.#sendToDevice(at);
    else this.#invalidate(type, at);
    return true;
  }

  #respond(at: number): void {
    const words = this.#words;
    words[this.#stats + STAT_RESPONSES]++;
    const rid = responseRid(words, at);
    if (
      !this.#ports.respond(
        rid,
        responsePrgi(words, at),
        responseCode(words, at),
        responsePasid(words, at),
        this.#tick.now(),
      )
    )
      words[this.#stats + STAT_STRAYS]++;
  }

  #sendToDevice(at: number): boolean {
    if (this.#devices.full) return false;
    this.#words[this.#stats + STAT_INVALIDATIONS]++;
    this.#words[this.#stats + STAT_DEVICE_TLB]++;
    this.#devices.send(at);
    return true;
  }

  /** Caches of the unit itself. There is no IOTLB here to empty, and no interrupt entry cache. */
  #invalidate(type: number, at: number): void {
    const words = this.#words;
    words[this.#stats + STAT_INVALIDATIONS]++;
    const granularity = (words[at] >>> 4) & 3;
    if (type === INV_CONTEXT) {
      const rid = granularity === CONTEXT_DEVICE ? words[at + 1] & 0xffff : -1; // context entries carry no domain: by domain is all
      this.#tables.dropContexts(rid, (words[at + 1] >>> 16) & 3);
    } else if (type === INV_PASID_CACHE) {
      const did = granularity === PASID_CACHE_GLOBAL ? -1 : words[at] >>> 16;
      this.#tables.dropPasids(did, granularity === PASID_CACHE_ONE ? words[at + 1] & 0xfffff : -1);
    }
  }

  #wait(at: number): boolean {
    const words = this.#words;
    const flags = words[at];
    if (this.#waits.count === 0 && this.#devices.busy === 0) {
      this.#finish(flags, waitWordAt(words, at), words[at + 1]);
      return true;
    }
    if (this.#waits.full) return false;
    this.#waits.add(this.#devices.busy, flags, waitWordAt(words, at), words[at + 1]);
    if ((flags & WAIT_FENCE) !== 0) this.#fenced = true;
    return true;
  }

  /** Invalidations that took too long stop the queue and abort every wait; then waits whose invalidations are over complete, in order. */
  #settle(): number {
    const late = this.#devices.expire();
    if (late !== NO_RID) this.#timeOut(late);
    const waits = this.#waits;
    waits.narrow(this.#devices.busy);
    let ended = 0;
    for (; waits.isOver(); ended++) {
      const { flags, wordAt, data } = waits;
      waits.shift();
      if ((flags & WAIT_FENCE) !== 0) this.#fenced = false;
      this.#finish(flags, wordAt, data);
    }
    return ended;
  }

  #finish(flags: number, wordAt: number, data: number): void {
    const words = this.#words;
    words[this.#stats + STAT_WAITS]++;
    this.#release(); // who finds the wait done finds the queue's room, too
    this.#ports.flush(); // responses before it are with their devices
    if ((flags & WAIT_DRAIN) !== 0) {
      words[this.#stats + STAT_DRAINS]++;
      this.#requests.publish();
    }
    // A status address outside memory writes nothing: what real hardware says of it is unverified.
    if ((flags & WAIT_STATUS) !== 0 && wordAt !== 0 && wordAt < words.length) {
      Atomics.store(words, wordAt, data); // [S]
      Atomics.notify(words, wordAt);
    }
    if ((flags & WAIT_INTERRUPT) !== 0) this.#signal.invalidation();
  }

  #timeOut(rid: number): void {
    const words = this.#words;
    words[this.#stats + STAT_TIMEOUTS]++;
    words[this.#stats + STAT_ABORTED] += this.#waits.clear();
    this.#fenced = false;
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
