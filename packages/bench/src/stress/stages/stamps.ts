// When each fault passed from one stage to the next: a row of ticks a page, as a page has one fault under way at most. A row passes from
// writer to writer as the fault does, and what carries the fault publishes it. The device reads it as the fault comes back.
//
//   REPORTED  the interrupt's thread took the record out of the IOMMU's queue, and reports it
//   QUEUED    its group is whole, and goes to the work queue
//   TAKEN     a worker begins on the group
//   HANDLED   the worker knows the answer
import { FAULT_PAGE_LO, GROUP_FAULTS, REQUEST_CHAIN, REQUEST_WORDS } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import type { Clock, Words } from '@faultline/core/sync';

export const STAMPS_REGION = 'stages.stamps';
export const REPORTED = 0;
export const QUEUED = 1;
export const TAKEN = 2;
export const HANDLED = 3;
const STAMP_WORDS = 4;
/** One page in eight is stamped, spread by a hash: looking at the clock takes a good part of what a fault takes. */
const SAMPLE_LG2 = 3;
const SPREAD = 0x9e3779b1;

export interface StampPlace {
  readonly firstPage: number;
  /** Pages whose faults may be stamped; all others are left alone. */
  readonly pages: number;
}

export function stampsWords(pages: number): number {
  return pages * STAMP_WORDS;
}

/** One thread's way to the stamps. */
export class Stamps {
  readonly #words: Words;
  readonly #base: number;
  readonly #place: StampPlace;
  readonly #clock: Clock;

  constructor(arena: Arena, place: StampPlace, clock: Clock) {
    this.#words = arena.words;
    this.#base = arena.base(STAMPS_REGION);
    this.#place = place;
    this.#clock = clock;
  }

  /** @returns the word offset of a page's row, 0: it is not stamped. */
  rowOf(pageLo: number): number {
    const index = pageLo - this.#place.firstPage;
    if (Math.imul(index, SPREAD) >>> (32 - SAMPLE_LG2) !== 0) return 0;
    return index >= 0 && index < this.#place.pages ? this.#base + index * STAMP_WORDS : 0;
  }

  clear(row: number): void {
    this.#words.fill(0, row, row + STAMP_WORDS);
  }

  /** @returns the tick, 0: the fault has not been there. */
  at(row: number, stamp: number): number {
    return this.#words[row + stamp];
  }

  /** Stamps the record at `recordAt`. */
  record(recordAt: number, stamp: number): void {
    const row = this.rowOf(this.#words[recordAt + FAULT_PAGE_LO]);
    if (row !== 0) this.#words[row + stamp] = this.#clock() || 1;
  }

  /** Stamps a group's requests, whose objects begin at `objects`. */
  group(objects: number, group: number, stamp: number): void {
    const at = objects + group * REQUEST_WORDS;
    this.record(at, stamp);
    for (let index = this.#words[at + GROUP_FAULTS]; index !== 0; ) {
      const member = objects + index * REQUEST_WORDS;
      this.record(member, stamp);
      index = this.#words[member + REQUEST_CHAIN];
    }
  }
}
