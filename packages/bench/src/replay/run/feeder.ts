// The main thread's part: hands each request of the trace to its device's place, and stops reading while a place has no room.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from '@faultline/core/memory';
import { SpscProducer } from '@faultline/core/ring';
import { Doorbell, TICK_NS } from '@faultline/core/sync';
import type { TraceRecord } from '../trace/trace-record.ts';
import { orderAttach } from './attach-orders.ts';
import {
  FEED_ASAP,
  FEED_DUE_HI,
  FEED_DUE_LO,
  FEED_ENDED,
  FEED_FLAGS,
  FEED_INDEX,
  FEED_LAST,
  FEED_PAGE_HI,
  FEED_PAGE_LO,
  FEED_PASID,
  feedBase,
  ordersBase,
} from './layout.ts';

export interface FeederConfig {
  readonly places: number;
  readonly placesPerWorker: number;
  /** Base of a worker's doorbell. */
  readonly wakeOf: (worker: number) => number;
  /** Base of the interrupt host's doorbell. */
  readonly interruptDoorbell: number;
  /** The PASID that every place has attached from the start. */
  readonly attachedPasid: number;
  /** Times as fast as the trace; Infinity: as fast as it goes. */
  readonly speed: number;
  readonly signal: AbortSignal;
}

/** A device of the trace. */
export interface FedDevice {
  /** Its number in the trace. */
  readonly device: number;
  readonly rid: number;
  readonly pasids: Set<number>;
  records: number;
  groups: number;
}

const ROOM_MS = 1;
const PASIDS = 2 ** 20;

export class Feeder {
  /** By place, from 0. */
  readonly devices: FedDevice[] = [];
  /** Records of devices that no place was left for, or whose PASID could not be attached. */
  unplaced = 0;
  /** Stop markers: they ask for nothing, and are not sent. */
  stopMarkers = 0;
  readonly #arena: Arena;
  readonly #config: FeederConfig;
  readonly #rings: SpscProducer[];
  readonly #wakes: Doorbell[];
  readonly #placeOf: number[] = []; // by device of the trace; -1: none was left
  readonly #attached: Map<number, boolean> = new Map(); // by place and PASID
  readonly #isWoken: Uint8Array; // by worker: 0 once something is published for it
  #startNs: number = Number.NaN;

  constructor(arena: Arena, config: FeederConfig) {
    this.#arena = arena;
    this.#config = config;
    const workers = Math.ceil(config.places / config.placesPerWorker);
    this.#rings = Array.from(
      { length: config.places },
      (_, place) => new SpscProducer(arena.words, feedBase(arena, place)),
    );
    this.#wakes = Array.from({ length: workers }, (_, worker) => new Doorbell(arena.words, config.wakeOf(worker)));
    this.#isWoken = new Uint8Array(workers).fill(1);
  }

  /** Hands a record over, if that takes no waiting. @returns false: {@link makeWay}, then try again. */
  put(record: TraceRecord): boolean {
    if (record.isLast && (record.perm & 3) === 0) {
      this.stopMarkers++;
      return true;
    }
    const place = this.#placeOf[record.device] ?? this.#newPlace(record);
    if (place < 0) {
      this.unplaced++;
      return true;
    }
    const isAttached = this.#isAttached(place, record.pasid);
    if (isAttached !== true) {
      if (isAttached === false) this.unplaced++;
      return isAttached === false;
    }
    const ring = this.#rings[place];
    const at = ring.claim();
    if (at === 0) return false;
    this.#fill(at, record);
    const device = this.devices[place];
    device.records++;
    if (record.isLast) device.groups++;
    this.#isWoken[Math.floor(place / this.#config.placesPerWorker)] = 0;
    return true;
  }

  /** Waits for whatever {@link put} could not do with this record. */
  async makeWay(record: TraceRecord): Promise<void> {
    this.publish();
    const place = this.#placeOf[record.device];
    const { signal, interruptDoorbell } = this.#config;
    if (this.#isAttached(place, record.pasid) === undefined) {
      const isThere = await orderAttach(this.#arena, interruptDoorbell, place + 1, record.pasid, signal);
      this.#attached.set(place * PASIDS + record.pasid, isThere);
    } else await sleep(ROOM_MS);
  }

  /** Lets the workers see what was put. */
  publish(): void {
    for (const ring of this.#rings) ring.publish();
    for (let worker = 0; worker < this.#wakes.length; worker++) {
      if (this.#isWoken[worker] === 1) continue;
      this.#isWoken[worker] = 1;
      this.#wakes[worker].ring();
    }
  }

  /** Nothing more comes. */
  end(): void {
    this.publish();
    Atomics.store(this.#arena.words, ordersBase(this.#arena) + FEED_ENDED, 1);
    for (const wake of this.#wakes) wake.ring();
  }

  #newPlace({ device, rid }: TraceRecord): number {
    const place = this.devices.length === this.#config.places ? -1 : this.devices.length;
    this.#placeOf[device] = place;
    if (place >= 0) this.devices.push({ device, rid, pasids: new Set(), records: 0, groups: 0 });
    return place;
  }

  /** @returns undefined: nobody has tried. */
  #isAttached(place: number, pasid: number): boolean | undefined {
    const { pasids } = this.devices[place];
    if (pasids.has(pasid)) return true;
    const isAttached = pasid === this.#config.attachedPasid || this.#attached.get(place * PASIDS + pasid);
    if (isAttached === true) pasids.add(pasid);
    return isAttached;
  }

  #fill(at: number, record: TraceRecord): void {
    const { words } = this.#arena;
    const { pasid, index, perm, isLast, page } = record;
    words[at + FEED_PASID] = pasid;
    words[at + FEED_INDEX] = index;
    words[at + FEED_FLAGS] = perm | (isLast ? FEED_LAST : 0);
    words[at + FEED_PAGE_LO] = page | 0;
    words[at + FEED_PAGE_HI] = Math.floor(page / 2 ** 32);
    const due = this.#dueTicks(record.timeNs);
    words[at + FEED_DUE_LO] = due | 0;
    words[at + FEED_DUE_HI] = due < 0 ? FEED_ASAP : Math.floor(due / 2 ** 32);
  }

  /** @returns -1: at once. */
  #dueTicks(timeNs: number): number {
    const { speed } = this.#config;
    if (speed === Number.POSITIVE_INFINITY || Number.isNaN(timeNs)) return -1;
    if (Number.isNaN(this.#startNs)) this.#startNs = timeNs;
    return Math.max(0, Math.floor((timeNs - this.#startNs) / speed / TICK_NS));
  }
}
