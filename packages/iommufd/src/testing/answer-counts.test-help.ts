import { FAULT_DEVICE, FAULT_GRPID, type IommuOps } from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';

/** A driver whose answers are counts in shared words, one a (device, grpid): who answers twice is found, on whichever thread. */
export class AnswerCounts implements IommuOps {
  readonly #words: Words;
  readonly #at: number;
  readonly #perDevice: number;

  constructor(words: Words, at: number, perDevice: number) {
    this.#words = words;
    this.#at = at;
    this.#perDevice = perDevice;
  }
  pageResponse(recordAt: number): void {
    const device = this.#words[recordAt + FAULT_DEVICE];
    Atomics.add(this.#words, this.#at + (device - 1) * this.#perDevice + this.#words[recordAt + FAULT_GRPID], 1);
  }
  flushResponses(): void {}
}
