import type { Words } from '@faultline/core/sync';
import { CD_WORDS } from './cd.ts';
import { CD_KIND, STE_KIND } from './entry-kinds.ts';
import { type EntryUpdate, writeEntry } from './entry-writer.ts';
import { streamEntryAt } from './layout.ts';
import type { SmmuOps } from './smmu-ops.ts';

/** What a master has in memory: the entries of its streams, and its table of contexts. Every change is in effect at the hardware on return.
 * All may throw ETIMEDOUT: the entry is then as the step that failed left it. */
export class MasterEntries {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: SmmuOps;
  readonly #streamIds: readonly number[];
  readonly #tableAt: number;
  #lastUpdate: EntryUpdate = 'unchanged';

  constructor(words: Words, base: number, ops: SmmuOps, streamIds: readonly number[], tableAt: number) {
    this.#words = words;
    this.#base = base;
    this.#ops = ops;
    this.#streamIds = streamIds;
    this.#tableAt = tableAt;
  }

  /** How {@link install} last changed an entry. */
  get lastUpdate(): EntryUpdate {
    return this.#lastUpdate;
  }

  /** Writes every stream's entry. */
  async install(entry: Int32Array): Promise<void> {
    for (const streamId of new Set(this.#streamIds)) {
      const at = streamEntryAt(this.#words, this.#base, streamId);
      this.#lastUpdate = await writeEntry(this.#words, at, entry, STE_KIND, () => {
        this.#ops.invalidateStream(streamId);
        return this.#ops.syncAsync();
      });
      this.#ops.prefetchConfiguration(streamId); // it will be needed soon
    }
    this.#ops.flushResponses();
  }

  async writeContext(index: number, entry: Int32Array): Promise<void> {
    await writeEntry(this.#words, this.#tableAt + index * CD_WORDS, entry, CD_KIND, () => {
      for (const streamId of this.#streamIds) this.#ops.invalidateContext(streamId, index);
      return this.#ops.syncAsync();
    });
  }

  clearContext(index: number): Promise<void> {
    return this.writeContext(index, new Int32Array(CD_WORDS));
  }

  /** Drops what the functions have cached of a PASID, or with -1 of everything. */
  async flushAtc(pasid: number): Promise<void> {
    for (const streamId of this.#streamIds) this.#ops.invalidateAtc(streamId, pasid, 0, 0, 0);
    await this.#ops.syncAsync();
  }

  /** Has the hardware read the entries, and with them the contexts, as they are: after a failure it may not have. */
  async resync(): Promise<void> {
    for (const streamId of this.#streamIds) this.#ops.invalidateStream(streamId);
    await this.#ops.syncAsync();
  }
}
