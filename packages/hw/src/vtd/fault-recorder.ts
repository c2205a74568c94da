import type { Words } from '@faultline/core/sync';
import type { EventSignal } from './event-signal.ts';
import { FAULT_RECORD_WORDS, FRCD_F, faultLastWord, writeFaultRecord } from './fault-records.ts';
import { VTD_FAULT_RECORDS, VTD_FRCD, VTD_FSTS, VTD_STATS } from './layout.ts';
import { FSTS_PFO } from './registers.ts';
import { STAT_FAULTS_LOST, STAT_FAULTS_RECORDED } from './stats.ts';

/** Primary fault logging: the records are taken in turn; the first that is still full sets PFO, and nothing more is recorded until
 * software clears it (VT-d 7.2). */
export class FaultRecorder {
  readonly #words: Words;
  readonly #base: number;
  readonly #records: number;
  readonly #count: number;
  readonly #signal: EventSignal;
  #next = 0;

  constructor(words: Words, base: number, signal: EventSignal) {
    this.#words = words;
    this.#base = base;
    this.#records = base + words[base + VTD_FRCD];
    this.#count = words[base + VTD_FAULT_RECORDS];
    this.#signal = signal;
  }

  /** @param pasid or -1. @param perm FAULT_PERM_* */
  record(reason: number, rid: number, pasid: number, perm: number, pageLo: number, pageHi: number): void {
    const words = this.#words;
    const at = this.#records + this.#next * FAULT_RECORD_WORDS;
    const last = at + FAULT_RECORD_WORDS - 1;
    const lost = (Atomics.load(words, this.#base + VTD_FSTS) & FSTS_PFO) !== 0;
    if (lost || (Atomics.load(words, last) & FRCD_F) !== 0) {
      words[this.#base + VTD_STATS + STAT_FAULTS_LOST]++;
      if (!lost) this.#signal.fault(FSTS_PFO);
      return;
    }
    writeFaultRecord(words, at, rid, pasid, perm, pageLo, pageHi);
    Atomics.store(words, last, faultLastWord(reason, pasid)); // pairs with EventPump: F, then the record's other words
    words[this.#base + VTD_STATS + STAT_FAULTS_RECORDED]++;
    this.#signal.faultRecorded(this.#next);
    this.#next = (this.#next + 1) % this.#count;
  }
}
