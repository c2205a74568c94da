// A run's traces in shared memory: a ring for each thread that records, and a word for each page of the address space that says which
// traced fault of it is outstanding. A device thread writes that word before it hands its access to the hardware, so whoever meets the
// fault later finds it: its number needs no room in the hardware's records.
import type { Arena, RegionSpec } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import { initTraceRing, traceRingWords } from '@faultline/core/trace';

export const RINGS_REGION = 'trace-rings';
export const FAULTS_REGION = 'trace-faults';

/** Records of a thread of the IOMMU's side, and of a device thread: what may come while the drainer waits for a processor. */
const CONTROL_RECORDS = 2 ** 17;
const DEVICE_RECORDS = 2 ** 12;

/** How much is traced. */
export interface TraceOrder {
  /** One fault in this many, of each device thread. */
  readonly sample: number;
}

/** Who records. Rings are numbered: control threads by their id, from 1; then device threads. */
export interface TraceSizes {
  readonly controlThreads: number;
  readonly deviceThreads: number;
  /** Pages of the address space. */
  readonly pages: number;
  /** Records of the queue that faults come in by. */
  readonly queueEntries: number;
}

/** Where a thread finds its ring and the faults' numbers. Travels to workers. */
export interface TracePlace {
  readonly rings: number;
  readonly controlThreads: number;
  readonly deviceThreads: number;
  readonly faults: number;
  readonly firstPage: number;
  readonly pages: number;
  readonly queueEntries: number;
  readonly sample: number;
}

/** Words of all rings. */
export function traceWordsOf(sizes: Pick<TraceSizes, 'controlThreads' | 'deviceThreads'>): number {
  return sizes.controlThreads * traceRingWords(CONTROL_RECORDS) + sizes.deviceThreads * traceRingWords(DEVICE_RECORDS);
}

export function traceRegions(sizes: TraceSizes): RegionSpec[] {
  return [
    { name: RINGS_REGION, words: traceWordsOf(sizes) },
    { name: FAULTS_REGION, words: sizes.pages },
  ];
}

export function tracePlace(arena: Arena, sizes: TraceSizes, firstPage: number, { sample }: TraceOrder): TracePlace {
  return { ...sizes, rings: arena.base(RINGS_REGION), faults: arena.base(FAULTS_REGION), firstPage, sample };
}

/** Empties all rings. No thread records. */
export function initTrace(words: Words, place: TracePlace): void {
  for (let ring = 1; ring <= ringsOf(place); ring++)
    initTraceRing(words, ringBase(place, ring), ring <= place.controlThreads ? CONTROL_RECORDS : DEVICE_RECORDS);
  words.fill(0, place.faults, place.faults + place.pages);
}

export function ringsOf(place: TracePlace): number {
  return place.controlThreads + place.deviceThreads;
}

/** A device thread's ring, by its number from 0. */
export function deviceRing(place: TracePlace, thread: number): number {
  return place.controlThreads + 1 + thread;
}

export function ringBase(place: TracePlace, ring: number): number {
  const control = Math.min(ring - 1, place.controlThreads);
  return (
    place.rings + control * traceRingWords(CONTROL_RECORDS) + (ring - 1 - control) * traceRingWords(DEVICE_RECORDS)
  );
}

/** Reads which traced fault of a page is outstanding. */
export class FaultNumbers {
  readonly #words: Words;
  readonly #at: number;
  readonly #firstLo: number;
  readonly #pages: number;

  constructor(words: Words, place: TracePlace) {
    this.#words = words;
    this.#at = place.faults;
    this.#firstLo = place.firstPage | 0;
    this.#pages = place.pages;
  }

  /** Where a page's word is, 0 for a page that is none of the run's. */
  wordOf(pageLo: number): number {
    const index = (pageLo - this.#firstLo) | 0;
    return index >= 0 && index < this.#pages ? this.#at + index : 0;
  }

  /** @returns its number, 0 when it has none. The fault's own way here orders this load after the store. */
  of(pageLo: number): number {
    const at = this.wordOf(pageLo);
    return at === 0 ? 0 : this.#words[at];
  }
}
