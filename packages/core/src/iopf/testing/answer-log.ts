import type { Words } from '../../sync/index.ts';
import type { IommuOps } from '../ops.ts';
import { FAULT_DEVICE, FAULT_GRPID } from '../record.ts';

/** Answers as counts in shared words, one a (device, grpid): whoever answers twice is found. */
export class CountingOps implements IommuOps {
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
    const grpid = this.#words[recordAt + FAULT_GRPID];
    Atomics.add(this.#words, this.#at + (device - 1) * this.#perDevice + grpid, 1);
  }
  flushResponses(): void {}
}
