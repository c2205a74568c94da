import type { Clock, Words } from '@faultline/core/sync';
import { TraceWriter } from '@faultline/core/trace';
import type { DevicePort } from '@faultline/hw/accelerator';
import { STALL_ABORT } from '@faultline/hw/smmu-v3';
import { ABORT, GOING, RESUME, STALL, STALLED } from '../events.ts';
import { deviceRing, FaultNumbers, ringBase, type TracePlace } from '../place.ts';

/** A device thread's port that records. It numbers the faults that are traced: others find the number by the page. */
export class TracedPort implements DevicePort {
  readonly capacity: number;
  readonly #port: DevicePort;
  readonly #words: Words;
  readonly #numbers: FaultNumbers;
  readonly #trace: TraceWriter;
  readonly #clock: Clock;
  readonly #thread: number;
  readonly #stride: number;
  readonly #sample: number;
  #until = 1; // the next traced fault
  #number: number; // the last one's
  #traced = 0; // faults of this round
  // Of these, by the order they were posted in: the slot, the number, where that stands.
  readonly #slots: Int32Array;
  readonly #ids: Int32Array;
  readonly #marks: Int32Array;

  /** @param port as it stands when a cell begins: nothing is posted. */
  constructor(port: DevicePort, words: Words, place: TracePlace, thread: number, clock: Clock) {
    this.capacity = port.capacity;
    this.#port = port;
    this.#words = words;
    this.#numbers = new FaultNumbers(words, place);
    this.#trace = new TraceWriter(words, ringBase(place, deviceRing(place, thread)));
    this.#clock = clock;
    this.#thread = thread;
    this.#stride = place.deviceThreads;
    this.#sample = place.sample;
    this.#number = thread + 1 - this.#stride; // 1.. of all threads, each its own
    this.#slots = new Int32Array(port.capacity);
    this.#ids = new Int32Array(port.capacity);
    this.#marks = new Int32Array(port.capacity);
  }

  post(pageLo: number, pageHi: number, perm: number, tick: number): number {
    const slot = this.#port.post(pageLo, pageHi, perm, tick);
    if (slot !== -1 && --this.#until === 0) this.#mark(slot, pageLo, tick);
    return slot;
  }

  #mark(slot: number, pageLo: number, tick: number): void {
    this.#until = this.#sample;
    const at = this.#numbers.wordOf(pageLo);
    if (at === 0) return;
    const number = (this.#number + this.#stride) | 0;
    this.#number = number;
    this.#words[at] = number; // published with the access
    const traced = this.#traced++;
    this.#slots[traced] = slot;
    this.#ids[traced] = number;
    this.#marks[traced] = at;
    if (traced === 0) this.#trace.record(tick, STALLED, this.#thread, 0);
    this.#trace.record(tick, STALL, this.#thread, number);
  }

  publish(): void {
    this.#trace.publish();
    this.#port.publish();
  }
  isDone(): boolean {
    return this.#port.isDone();
  }
  result(slot: number): number {
    return this.#port.result(slot);
  }
  postedAt(slot: number): number {
    return this.#port.postedAt(slot);
  }
  resumedAt(slot: number): number {
    return this.#port.resumedAt(slot);
  }

  /** The round is over: its results go with it. */
  reset(): void {
    const traced = this.#traced;
    if (traced > 0) {
      this.#traced = 0;
      this.#resumed(traced);
    }
    this.#port.reset();
  }

  /** By this thread's own clock: the hardware's time of a result is that at which its pump began, which a handler may have come after. */
  #resumed(traced: number): void {
    const tick = this.#clock();
    for (let i = 0; i < traced; i++) {
      const kind = this.#port.result(this.#slots[i]) === STALL_ABORT ? ABORT : RESUME;
      this.#words[this.#marks[i]] = 0;
      this.#trace.record(tick, kind, this.#thread, this.#ids[i]);
    }
    this.#trace.record(tick, GOING, this.#thread, 0);
    this.#trace.publish();
  }
}
