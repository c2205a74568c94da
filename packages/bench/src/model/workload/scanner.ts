import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine, Target } from '../engine/engine.ts';
import type { Processors } from '../machine/processors.ts';
import type { Stats } from '../stats.ts';
import type { Hardware } from './hardware.ts';
import type { Memory } from './memory.ts';
import type { Pages } from './pages.ts';
import type { ProcessThread } from './process-thread.ts';

/** Pages looked at for each page wanted: absent ones are passed over, but not for ever. */
const VISITS_PER_PAGE = 8;
const PAGES_PER_MIB = 256;
/** Chunks that are caught up with, a thread, after it was kept from running. */
const CATCH_UP_CHUNKS = 4;

/** Takes pages away, as work that a process's threads do in passing. A chunk at a time: pages are taken under the mmap lock, then
 * invalidated. `round`: whichever thread passes takes what is due. `numa`: one thread is told to, and does a whole scan. */
export class Scanner implements Target {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #processors: Processors;
  readonly #config: ModelConfig;
  readonly #pages: Pages;
  readonly #memory: Memory;
  readonly #hardware: Hardware;
  readonly #stats: Stats;
  readonly #visitNs: number;
  readonly #takeNs: number;
  readonly #callNs: number;
  readonly #chunk: number;
  readonly #others: number;
  #pagesPerNs = 0;
  #last = 0;
  #due = 0;
  #cursor = 0;
  #owner: ProcessThread | undefined; // who does the scan under way
  #turn = 0;
  threads: readonly ProcessThread[] = [];

  constructor(
    engine: Engine,
    processors: Processors,
    config: ModelConfig,
    parts: { readonly pages: Pages; readonly memory: Memory; readonly hardware: Hardware; readonly stats: Stats },
  ) {
    this.#engine = engine;
    this.#id = engine.register(this);
    this.#processors = processors;
    this.#config = config;
    this.#pages = parts.pages;
    this.#memory = parts.memory;
    this.#hardware = parts.hardware;
    this.#stats = parts.stats;
    this.#visitNs = costOf(config.costs, 'scanner.visit');
    this.#takeNs = costOf(config.costs, 'scanner.take');
    this.#callNs = costOf(config.costs, 'notifier.call');
    const { scanner } = config;
    this.#chunk = scanner.kind === 'none' ? 0 : scanner.chunkPages;
    this.#others = scanner.kind === 'numa' ? scanner.otherPagesPerThread * config.threads : 0;
    if (scanner.kind === 'round') this.#pagesPerNs = parts.pages.states.length / (scanner.periodMs * 1e6);
    if (scanner.kind === 'numa') this.#schedule();
  }

  /** numa: the next scan is due. */
  fire(): void {
    const { scanner } = this.#config;
    if (scanner.kind !== 'numa') return;
    this.#schedule();
    if (this.#owner !== undefined) return; // the one before is not done: this one is missed
    this.#due = scanner.scanMiB * PAGES_PER_MIB;
    this.#turn = (this.#turn + 1) % this.threads.length;
    this.#owner = this.threads[this.#turn];
    this.#stats.scans++;
    this.#processors.poke(this.#owner);
    this.#processors.wake(this.#owner);
  }

  #schedule(): void {
    const { scanner } = this.#config;
    if (scanner.kind !== 'numa') return;
    const windows = Math.max(1, Math.ceil((this.#pages.resident + this.#others) / (scanner.scanMiB * PAGES_PER_MIB)));
    const period = Math.max(scanner.floorMs, scanner.periodMs / windows);
    this.#engine.schedule(this.#engine.now + period * 1e6, this.#id, 0);
  }

  /** A thread passes by. @returns nanoseconds, 0 when there was nothing for it to do. */
  pass(now: number, thread: ProcessThread): number {
    if (this.#chunk === 0) return 0;
    if (this.#config.scanner.kind === 'numa') {
      if (this.#owner !== thread) return 0;
    } else {
      this.#due = Math.min(
        this.#due + (now - this.#last) * this.#pagesPerNs,
        CATCH_UP_CHUNKS * this.#chunk * this.threads.length,
      );
      this.#last = now;
      if (this.#due < this.#chunk) return 0;
    }
    const chunk = Math.min(this.#chunk, this.#due);
    this.#due -= chunk;
    if (this.#config.mmapLock && !this.#memory.lock.tryRead(now)) {
      this.#stats.lockMisses++;
      this.#owner = undefined; // as in Linux, a scan that is missed is not made up for
      return 0;
    }
    if (this.#config.mmapLock) thread.reads++;
    const before = this.#stats.taken;
    const from = this.#cursor;
    const visits = this.#takeChunk(chunk);
    // A scan ends with the address space, too.
    if (this.#due <= 0 || this.#cursor <= from) this.#owner = undefined;
    const taken = this.#stats.taken - before;
    let took = visits * this.#visitNs + taken * this.#takeNs;
    if (taken > 0) {
      this.#stats.invalidations++;
      took += this.#callNs + this.#hardware.invalidate(thread);
    }
    return took;
  }

  /** @returns PTEs looked at. */
  #takeChunk(chunk: number): number {
    const pages = this.#pages;
    const all = pages.states.length + this.#others;
    const most = Math.min(all, chunk * VISITS_PER_PAGE);
    let visits = 0;
    let taken = 0;
    for (; visits < most && taken < chunk; visits++) {
      const page = this.#cursor;
      this.#cursor = page + 1 === all ? 0 : page + 1;
      if (page >= pages.states.length) taken++;
      else if (pages.take(page)) {
        taken++;
        this.#stats.taken++;
      }
    }
    return visits;
  }
}
