import type { Words } from '@faultline/core/sync';
import { FAULT_RECORD_WORDS, FRCD_F } from './fault-records.ts';
import { VTD_FAULT_RECORDS, VTD_FRCD, VTD_FSTS } from './layout.ts';
import { FSTS_FRI_MASK, FSTS_FRI_SHIFT, FSTS_PFO, FSTS_PPF } from './registers.ts';

/** The driver's end of the fault recording registers. @see Linux dmar_fault() */
export class FaultTaker {
  readonly #words: Words;
  readonly #status: number;
  readonly #records: number;
  readonly #count: number;
  #next = 0; // record to look at next; from one event to the next FRI says so

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#status = base + VTD_FSTS;
    this.#records = base + words[base + VTD_FRCD];
    this.#count = words[base + VTD_FAULT_RECORDS];
  }

  /** A fault event: starts with the record that set PPF, if that is what it was. */
  begin(): void {
    const status = Atomics.load(this.#words, this.#status);
    if ((status & FSTS_PPF) !== 0) this.#next = ((status & FSTS_FRI_MASK) >>> FSTS_FRI_SHIFT) % this.#count;
  }

  /** @returns word offset of the oldest record, or 0; it is the driver's until {@link release}. */
  peek(): number {
    const at = this.#records + this.#next * FAULT_RECORD_WORDS;
    return (Atomics.load(this.#words, at + FAULT_RECORD_WORDS - 1) & FRCD_F) !== 0 ? at : 0; // pairs with FaultRecorder: words, then F
  }

  /** Gives the record that {@link peek} found back: write 1 to clear. */
  release(): void {
    Atomics.and(this.#words, this.#records + (this.#next + 1) * FAULT_RECORD_WORDS - 1, ~FRCD_F);
    this.#next = (this.#next + 1) % this.#count;
  }

  /** No record is left: clears PPF. @returns whether that holds; if not, one came meanwhile, without another event. */
  clearPending(): boolean {
    Atomics.and(this.#words, this.#status, ~FSTS_PPF);
    return this.peek() === 0;
  }

  /** Clears the overflow, so that faults are recorded again. @returns whether there was one. */
  clearOverflow(): boolean {
    return (Atomics.and(this.#words, this.#status, ~FSTS_PFO) & FSTS_PFO) !== 0;
  }
}
