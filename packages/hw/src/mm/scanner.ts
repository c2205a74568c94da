import { checkInteger, IommuError } from '@faultline/core/errors';
import { TICKS_PER_MS } from '@faultline/core/sync';
import { MAX_PAGE } from './layout.ts';
import type { Mm } from './mm.ts';
import { TAKE_DONE, TAKE_NOTHING } from './pte.ts';

// The page scanner: NUMA balancing as the reporter of the time-outs met it. It goes round all areas, takes present pages from
// whoever uses them and invalidates the range, so that the next access faults and tells who wants the page. The contents stay.
// Leased pages it passes by; that costs it as much as taking them, so that a lease of so many visits lasts as many rounds.
//
// Paced by time that passed: a chunk is due every chunkPages / pagesPerSecond. An attempt uses its chunk up even when the mmap
// lock was not to be had, or nothing was there to take: as in Linux, a round that is missed is not made up for.

/** Pages looked at for each page wanted, before an attempt ends: absent ones are passed over, but not for ever. So a round over pages
 * that are mostly gone is up to this many times as fast as one over pages that are there. @see Linux task_numa_work(), virtpages */
const VISITS_PER_PAGE = 8;
/** A scanner that was kept from running catches up this many chunks at most. */
const CATCH_UP_CHUNKS = 4;

export interface ScannerConfig {
  /** Pages to take a second, at most. Above 0. */
  readonly pagesPerSecond: number;
  /** Pages taken at a time, under the mmap lock, with one invalidation an area. */
  readonly chunkPages: number;
  /** Page to begin at. Default 0: several scanners that share the work begin apart. */
  readonly startPage?: number;
}

/** Takes pages away. Make one a thread that scans: a thread of its own, stepped whenever {@link nextDelayMs} has passed, or each
 * thread of a process in between its work, at its share of the pace, as Linux has it done.
 * @see Linux task_numa_work(), change_prot_numa() */
export class PageScanner {
  readonly #mm: Mm;
  readonly #chunk: number;
  readonly #pagesPerTick: number;
  #started = false;
  #last = 0; // tick up to which time was counted
  #due = 0; // pages
  #cursor = 0; // page to go on from
  /** Attempts that found the mmap lock held or wanted by a writer. */
  lockMisses = 0;

  /** @throws IommuError EINVAL naming the field. */
  constructor(mm: Mm, config: ScannerConfig) {
    const call = 'PageScanner';
    if (!(config.pagesPerSecond > 0) || config.pagesPerSecond > 1e9)
      throw new IommuError('EINVAL', call, 'pagesPerSecond', config.pagesPerSecond, 'must be above 0, up to 1e9');
    this.#mm = mm;
    this.#cursor = checkInteger(call, 'startPage', config.startPage ?? 0, 0, MAX_PAGE - 1);
    this.#chunk = checkInteger(call, 'chunkPages', config.chunkPages, 1, 2 ** 20);
    this.#pagesPerTick = config.pagesPerSecond / (1000 * TICKS_PER_MS);
  }

  /** Takes the chunk that is due, if one is. The first call only starts the clock. Context: may block in the notifier.
   * @param now tick. @returns pages taken. */
  step(now: number): number {
    if (!this.#started) {
      this.#started = true;
      this.#last = now;
      return 0;
    }
    this.#due = this.#dueAt(now);
    this.#last = now;
    if (this.#due < this.#chunk) return 0;
    this.#due -= this.#chunk;
    if (!this.#mm.tryReadLock()) {
      this.lockMisses++;
      return 0;
    }
    try {
      return this.#takeChunk();
    } finally {
      this.#mm.readUnlock();
    }
  }

  /** @returns whole milliseconds until {@link step} has something to do, 0 when it has now. */
  nextDelayMs(now: number): number {
    if (!this.#started) return 0;
    const missing = this.#chunk - this.#dueAt(now);
    return missing <= 0 ? 0 : Math.ceil(missing / this.#pagesPerTick / TICKS_PER_MS);
  }

  #dueAt(now: number): number {
    const elapsed = Math.max(0, (now - this.#last) | 0);
    return Math.min(this.#due + elapsed * this.#pagesPerTick, CATCH_UP_CHUNKS * this.#chunk);
  }

  /** Goes on from the cursor, once round at most. */
  #takeChunk(): number {
    const mm = this.#mm;
    const from = this.#cursor;
    let taken = 0;
    let used = 0; // of the chunk
    let visits = this.#chunk * VISITS_PER_PAGE;
    let wrapped = false;
    while (used < this.#chunk && visits > 0) {
      const area = mm.areaFrom(this.#cursor);
      if (area === 0) {
        if (wrapped || from === 0) break;
        wrapped = true;
        this.#cursor = 0;
        continue;
      }
      const start = mm.areaStart(area);
      const end = start + mm.areaPages(area);
      let page = Math.max(this.#cursor, start);
      if (wrapped && page >= from) break;
      const first = page;
      const before = taken;
      for (; page < end && used < this.#chunk && visits > 0; page++, visits--) {
        const take = mm.takePage(area, page - start);
        if (take !== TAKE_NOTHING) used++;
        if (take === TAKE_DONE) taken++;
      }
      if (taken > before) mm.invalidate(first, page - first);
      this.#cursor = page;
    }
    return taken;
  }
}
