import type { Words } from '@faultline/core/sync';
import type { PriPortSet } from '../pcie/index.ts';
import { WAIT_DRAIN, WAIT_FENCE, WAIT_INTERRUPT, WAIT_STATUS, waitWordAt } from './descriptor-codec.ts';
import type { DeviceTlbs } from './device-tlbs.ts';
import type { EventSignal } from './event-signal.ts';
import { VTD_STATS } from './layout.ts';
import type { RequestUnit } from './request-unit.ts';
import { STAT_ABORTED, STAT_DRAINS, STAT_WAITS } from './stats.ts';
import { WaitList } from './wait-list.ts';

// What becomes of wait descriptors. A wait is over when the device-TLB invalidations before it are, and until then what follows may start,
// unless the wait has FN.
//
// Ordering.
//   [S] responses and requests that the wait was to order, then STATUS  pairs with  InvalidationBatch: STATUS, then whatever they are for

/** The hardware's wait descriptors: those that cannot be over at once are kept, and complete in their order. */
export class Waits {
  readonly #words: Words;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #requests: RequestUnit;
  readonly #devices: DeviceTlbs;
  readonly #signal: EventSignal;
  readonly #list: WaitList = new WaitList();
  #fenced = false;

  constructor(
    words: Words,
    base: number,
    ports: PriPortSet,
    requests: RequestUnit,
    devices: DeviceTlbs,
    signal: EventSignal,
  ) {
    this.#words = words;
    this.#stats = base + VTD_STATS;
    this.#ports = ports;
    this.#requests = requests;
    this.#devices = devices;
    this.#signal = signal;
  }

  /** Taken and not over. */
  get count(): number {
    return this.#list.count;
  }
  get full(): boolean {
    return this.#list.full;
  }
  /** A wait with FN is under way: nothing behind it may start. */
  get fenced(): boolean {
    return this.#fenced;
  }

  /** Takes the wait descriptor at `at`. @returns false when it has to stay where it is: too many are under way. */
  take(at: number): boolean {
    const words = this.#words;
    const flags = words[at];
    if (this.#list.count === 0 && this.#devices.busy === 0) {
      this.#complete(flags, waitWordAt(words, at), words[at + 1]);
      return true;
    }
    if (this.#list.full) return false;
    this.#list.add(this.#devices.busy, flags, waitWordAt(words, at), words[at + 1]);
    if ((flags & WAIT_FENCE) !== 0) this.#fenced = true;
    return true;
  }

  /** Completes the waits whose invalidations are over. @returns how many. */
  settle(): number {
    const list = this.#list;
    if (list.count === 0) return 0;
    list.narrow(this.#devices.busy);
    let ended = 0;
    for (; list.isOver(); ended++) {
      const { flags, wordAt, data } = list;
      list.shift();
      if ((flags & WAIT_FENCE) !== 0) this.#fenced = false;
      this.#complete(flags, wordAt, data);
    }
    return ended;
  }

  /** An invalidation time-out: every wait is given up, and writes nothing. */
  abort(): void {
    this.#words[this.#stats + STAT_ABORTED] += this.#list.clear();
    this.#fenced = false;
  }

  #complete(flags: number, wordAt: number, data: number): void {
    const words = this.#words;
    words[this.#stats + STAT_WAITS]++;
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
}
