import type { ThreadSelf, Words } from '@faultline/core/sync';
import { CD_WORDS } from './cd.ts';
import { CD_KIND, STE_KIND } from './entry-kinds.ts';
import { type EntryUpdate, writeEntryBlocking } from './entry-writer.ts';
import { streamEntryAt } from './layout.ts';
import type { SmmuOps } from './smmu-ops.ts';

/** Stream table entries and context descriptors, changed by a thread that may block. Every change is in effect at the hardware on return.
 * One a thread; who changes a stream holds whatever guards that stream. All may throw ETIMEDOUT: the entry is then as the step that failed
 * left it. */
export class BlockingEntries {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: SmmuOps;
  readonly #self: ThreadSelf;

  constructor(words: Words, base: number, ops: SmmuOps, self: ThreadSelf) {
    this.#words = words;
    this.#base = base;
    this.#ops = ops;
    this.#self = self;
  }

  /** Changes a stream's entry. @throws IommuError ENODEV outside the stream table */
  install(streamId: number, entry: Int32Array): EntryUpdate {
    const at = streamEntryAt(this.#words, this.#base, streamId);
    return writeEntryBlocking(this.#words, at, entry, STE_KIND, () => {
      this.#ops.invalidateStream(streamId);
      this.#ops.sync(this.#self);
    });
  }

  /** Changes descriptor `index` of the stream's linear table at word offset `tableAt`. */
  writeContext(streamId: number, tableAt: number, index: number, entry: Int32Array): EntryUpdate {
    return writeEntryBlocking(this.#words, tableAt + index * CD_WORDS, entry, CD_KIND, () => {
      this.#ops.invalidateContext(streamId, index);
      this.#ops.sync(this.#self);
    });
  }

  clearContext(streamId: number, tableAt: number, index: number): EntryUpdate {
    return this.writeContext(streamId, tableAt, index, new Int32Array(CD_WORDS));
  }
}
