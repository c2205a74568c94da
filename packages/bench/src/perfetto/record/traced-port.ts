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

  #resumed(traced: number): void {
    const port = this.#port;
    if (traced > 1) this.#sort(traced);
    let tick = port.postedAt(this.#slots[0]);
    for (let i = 0; i < traced; i++) {
      const slot = this.#slots[i];
      tick = later(tick, port.resumedAt(slot)); // another thread's clock
      this.#words[this.#marks[i]] = 0;
      this.#trace.record(tick, port.result(slot) === STALL_ABORT ? ABORT : RESUME, this.#thread, this.#ids[i]);
    }
    this.#trace.record(later(tick, this.#clock()), GOING, this.#thread, 0);
    this.#trace.publish();
  }

  /** By the time they were resumed: mostly the order they were posted in. */
  #sort(traced: number): void {
    const port = this.#port;
    for (let i = 1; i < traced; i++) {
      const slot = this.#slots[i];
      const id = this.#ids[i];
      const mark = this.#marks[i];
      const tick = port.resumedAt(slot);
      let to = i;
      for (; to > 0 && ((port.resumedAt(this.#slots[to - 1]) - tick) | 0) > 0; to--) {
        this.#slots[to] = this.#slots[to - 1];
        this.#ids[to] = this.#ids[to - 1];
        this.#marks[to] = this.#marks[to - 1];
      }
      this.#slots[to] = slot;
      this.#ids[to] = id;
      this.#marks[to] = mark;
    }
  }
}

function later(a: number, b: number): number {
  return ((b - a) | 0) > 0 ? b : a;
}
