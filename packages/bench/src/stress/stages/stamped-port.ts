import type { Words } from '@faultline/core/sync';
import type { DevicePort } from '@faultline/hw/accelerator';
import { HANDLED, QUEUED, REPORTED, type Stamps, TAKEN } from './stamps.ts';
import { addFault, skipFault } from './sums.ts';

/** Ticks by which a stage may seem shorter than nothing: threads' clocks disagree a little, and the hardware looks at its clock once a
 * batch. Past it, a stamp is another fault's: that of a worker whose group had been answered for it. */
const SLACK = 10_000;

/** A device thread's port that counts where the time of its faults went, round by round. */
export class StampedPort implements DevicePort {
  readonly capacity: number;
  readonly #port: DevicePort;
  readonly #words: Words;
  readonly #stamps: Stamps;
  readonly #sums: number;
  readonly #rows: number[] = []; // by slot
  #posted = 0;

  /** @param sums base of this thread's sums. */
  constructor(port: DevicePort, words: Words, stamps: Stamps, sums: number) {
    this.capacity = port.capacity;
    this.#port = port;
    this.#words = words;
    this.#stamps = stamps;
    this.#sums = sums;
  }

  post(pageLo: number, pageHi: number, perm: number, tick: number): number {
    const row = this.#stamps.rowOf(pageLo);
    if (row !== 0) this.#stamps.clear(row); // before the fault is published
    const slot = this.#port.post(pageLo, pageHi, perm, tick);
    this.#rows[slot] = row;
    this.#posted++;
    return slot;
  }
  publish(): void {
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
  /** The round is over. */
  reset(): void {
    for (let slot = 0; slot < this.#posted; slot++) if (this.#rows[slot] !== 0) this.#add(slot, this.#rows[slot]);
    this.#posted = 0;
    this.#port.reset();
  }

  #add(slot: number, row: number): void {
    const reported = this.#stamps.at(row, REPORTED);
    const queued = this.#stamps.at(row, QUEUED);
    const taken = this.#stamps.at(row, TAKEN);
    const handled = this.#stamps.at(row, HANDLED);
    const queue = (reported - this.#port.postedAt(slot)) | 0;
    const group = (queued - reported) | 0;
    const work = (taken - queued) | 0;
    const handler = (handled - taken) | 0;
    const response = (this.#port.resumedAt(slot) - handled) | 0;
    const passed = reported !== 0 && queued !== 0 && taken !== 0 && handled !== 0;
    if (passed && Math.min(queue, group, work, handler, response) >= -SLACK)
      addFault(this.#words, this.#sums, queue, group, work, handler, response);
    else skipFault(this.#words, this.#sums);
  }
}
