import {
  FAULT_DEVICE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_OFFSET_SHIFT,
  FAULT_PAGE_HI,
  FAULT_PAGE_HI_MASK,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  FAULT_WORDS,
  type FaultReporter,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';

/** One fault as the reporter got it. */
export interface Reported {
  readonly at: number;
  readonly device: number;
  readonly flags: number;
  readonly pasid: number;
  readonly grpid: number;
  readonly perm: number;
  readonly pageLo: number;
  readonly pageHi: number;
  readonly offset: number;
  readonly token: number;
}

export const FAKE_RECORDS: number = 64 * FAULT_WORDS;

/** A core that keeps what it is told and answers when the test says so. It fills its FAKE_RECORDS words in turn. */
export class FakeReporter implements FaultReporter {
  readonly #words: Words;
  readonly #records: number;
  readonly faults: Reported[] = [];
  batches = 0;
  /** What reportDeviceFault returns. */
  verdict = 0;

  constructor(words: Words, records: number) {
    this.#words = words;
    this.#records = records;
  }
  prepareFault(): number {
    return this.#records + (this.faults.length % 64) * FAULT_WORDS;
  }
  reportDeviceFault(at: number): number {
    const w = this.#words;
    this.faults.push({
      at,
      device: w[at + FAULT_DEVICE],
      flags: w[at + FAULT_FLAGS],
      pasid: w[at + FAULT_PASID],
      grpid: w[at + FAULT_GRPID],
      perm: w[at + FAULT_PERM],
      pageLo: w[at + FAULT_PAGE_LO],
      pageHi: w[at + FAULT_PAGE_HI] & FAULT_PAGE_HI_MASK,
      offset: w[at + FAULT_PAGE_HI] >>> FAULT_OFFSET_SHIFT,
      token: w[at + FAULT_TOKEN],
    });
    return this.verdict;
  }
  endBatch(): void {
    this.batches++;
  }
  /** Takes what was reported since the last time. */
  take(): Reported[] {
    return this.faults.splice(0);
  }
}
