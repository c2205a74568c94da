import type { Words } from '@faultline/core/sync';
import {
  EVT_C_BAD_STE,
  EVT_C_BAD_STREAMID,
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_STREAM_DISABLED,
  EVT_F_TRANSLATION,
} from './events.ts';
import { SMMU_CR2, SMMU_STREAMS, STE_SUBSTREAMS, STE_WORD, STE_WORDS, streamEntryAt } from './layout.ts';
import { CR2_RECINVSID, STE_ABORT, STE_BYPASS, STE_CONFIG_MASK, STE_STALL, STE_TRANSLATE, STE_V } from './registers.ts';

// What the hardware keeps of the stream table. It reads an entry when it starts and at CMD_CFGI_STE, and at no other time: a driver that
// forgets to invalidate goes on with the old entry, as it may on real hardware.

/** What becomes of an access that missed. Positive values are event numbers: the access ends with that record. */
export const ROUTE_STALL = 0;
export const ROUTE_ABORT = -1;
export const ROUTE_BYPASS = -2;

const ENTRY = 2; // STE_WORD, STE_SUBSTREAMS

export class StreamCache {
  readonly #words: Words;
  readonly #base: number;
  readonly #entries: Int32Array;
  readonly streams: number;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
    this.streams = words[base + SMMU_STREAMS];
    this.#entries = new Int32Array(this.streams * ENTRY);
    this.reload(0, this.streams);
  }

  /** CMD_CFGI_STE and CMD_CFGI_STE_RANGE: reads `count` entries from `first` on afresh. Streams outside the table are not there to be read. */
  reload(first: number, count: number): void {
    const end = Math.min(first + count, this.streams);
    for (let stream = first; stream < end; stream++) {
      const at = streamEntryAt(this.#words, this.#base, 0) + stream * STE_WORDS;
      this.#entries[stream * ENTRY] = Atomics.load(this.#words, at + STE_WORD);
      this.#entries[stream * ENTRY + 1] = Atomics.load(this.#words, at + STE_SUBSTREAMS);
    }
  }

  /** Route of an access of `streamId` (u32) with `substreamId`, or -1 for none. Errors in the architecture's order of priority (7.3.22). */
  route(streamId: number, substreamId: number): number {
    if (streamId >= this.streams) {
      const recorded = (Atomics.load(this.#words, this.#base + SMMU_CR2) & CR2_RECINVSID) !== 0;
      return recorded ? EVT_C_BAD_STREAMID : ROUTE_ABORT;
    }
    const ste = this.#entries[streamId * ENTRY];
    const config = ste & STE_CONFIG_MASK;
    if ((ste & STE_V) === 0) return EVT_C_BAD_STE;
    if (config === STE_ABORT) return ROUTE_ABORT;
    if (config === STE_BYPASS) return substreamId < 0 ? ROUTE_BYPASS : EVT_C_BAD_SUBSTREAMID;
    if (config !== STE_TRANSLATE) return EVT_C_BAD_STE;
    if (substreamId >= this.#entries[streamId * ENTRY + 1]) return EVT_C_BAD_SUBSTREAMID;
    if (substreamId === 0) return EVT_F_STREAM_DISABLED; // context descriptor 0 is for traffic without a substream
    return (ste & STE_STALL) !== 0 ? ROUTE_STALL : EVT_F_TRANSLATION;
  }
}
