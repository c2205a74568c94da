import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine } from '../engine/engine.ts';
import type { Random } from '../engine/random.ts';
import { Line } from '../machine/line.ts';
import type { Processors } from '../machine/processors.ts';
import { RwLock } from '../machine/rw-lock.ts';
import { SLEEP, type Thread } from '../machine/thread.ts';
import type { Packet } from '../path/packet.ts';
import type { Stats } from '../stats.ts';
import type { Jobs } from './jobs.ts';
import { ABSENT, type Pages, PRESENT, TAKEN } from './pages.ts';

const PAGES_PER_MIB = 256;

/** The address space: what handlers, device threads and the scanner do to its pages under the mmap lock. */
export class Memory {
  readonly lock: RwLock;
  readonly #line: Line;
  readonly #pages: Pages;
  readonly #jobs: Jobs;
  readonly #stats: Stats;
  readonly #random: Random;
  readonly #locks: boolean;
  readonly #lockNs: number;
  readonly #populateNs: number;
  readonly #restoreNs: number;
  readonly #migrateNs: number;
  readonly #migrateShare: number;
  readonly #discardNs: number;
  readonly #hintNs: number;
  readonly #hintShare: number;
  readonly #config: ModelConfig;

  constructor(
    engine: Engine,
    processors: Processors,
    config: ModelConfig,
    parts: { readonly pages: Pages; readonly jobs: Jobs; readonly stats: Stats; readonly random: Random },
  ) {
    const { costs, scanner } = config;
    this.#config = config;
    this.#pages = parts.pages;
    this.#jobs = parts.jobs;
    this.#stats = parts.stats;
    this.#random = parts.random;
    this.lock = new RwLock(engine, processors);
    this.#locks = config.mmapLock;
    this.#line = new Line(costOf(costs, 'line.transfer'));
    this.#lockNs = config.mmapLock ? costOf(costs, 'mmap.lock') : 0;
    const mib = (config.threads * config.windows * config.pagesPerJob) / PAGES_PER_MIB;
    const cold = Math.max(0, 1 - config.cacheMiB / mib);
    this.#populateNs = costOf(costs, 'handler.populate') + cold * costOf(costs, 'handler.populate-cold');
    this.#restoreNs = costOf(costs, 'handler.restore');
    this.#migrateNs = costOf(costs, 'handler.migrate');
    this.#migrateShare = scanner.kind === 'numa' ? scanner.migrateShare : 0;
    this.#discardNs = costOf(costs, 'device.discard');
    this.#hintNs = costOf(costs, 'scanner.hint');
    this.#hintShare = scanner.kind === 'numa' ? scanner.cpuTouchShare : 0;
  }

  /** Time that the mmap lock's line was on its way: what bounds readers. */
  get lineNs(): number {
    return this.#line.busyNs;
  }

  /** A handler makes a packet's pages present: seen when {@link answer} is called, once this has been waited for. */
  handle(now: number, thread: Thread, packet: Packet, lookUp: number): number {
    const line = this.#locks ? this.#line.touch(now, thread.cpu, packet.count, 2) : 0;
    let took = line + lookUp + this.#lockNs * packet.count;
    for (let fault = 0; fault < packet.count; fault++) {
      const state = this.#pages.states[this.#jobs.pageOf(packet, fault)];
      if (state === ABSENT) took += this.#populateNs;
      else if (state === TAKEN) {
        took += this.#restoreNs;
        if (this.#migrateShare > 0 && this.#random.fraction() < this.#migrateShare) took += this.#migrateNs;
      }
    }
    if (this.#locks && !this.lock.read(now, thread, now + took)) return SLEEP;
    return took;
  }

  /** A packet's pages are absent as it stalls. */
  absent(packet: Packet): void {
    for (let fault = 0; fault < packet.count; fault++) this.#pages.discard(this.#jobs.pageOf(packet, fault), 1);
  }

  answer(packet: Packet): void {
    for (let fault = 0; fault < packet.count; fault++) {
      const page = this.#jobs.pageOf(packet, fault);
      const state = this.#pages.states[page];
      if (state === ABSENT) this.#stats.populated++;
      else if (state === TAKEN) this.#stats.restored++;
      this.#pages.answer(page);
    }
  }

  /** Gives a thread's buffers back. @returns nanoseconds, or SLEEP: ask again when woken. */
  discard(now: number, thread: Thread, index: number): number {
    const { windows, pagesPerJob, buffers } = this.#config;
    const pages = windows * pagesPerJob;
    const held = this.#lockNs + this.#discardNs * pages;
    if (this.#locks) {
      if (buffers === 'remap') {
        if (this.lock.write(now, thread, held) === SLEEP) return SLEEP;
      } else if (!this.lock.read(now, thread, now + held)) return SLEEP;
    }
    this.#stats.discarded += this.#pages.discard(index * pages, pages);
    return held;
  }

  /** The processor touches a window before the job: what the scanner took comes back without the device. */
  hint(index: number): number {
    if (this.#hintShare === 0) return 0;
    const first = this.#jobs.firstPage(index);
    let took = 0;
    for (let page = first; page < first + this.#config.pagesPerJob; page++) {
      if (this.#pages.states[page] !== TAKEN || this.#random.fraction() >= this.#hintShare) continue;
      this.#pages.states[page] = PRESENT;
      this.#stats.hints++;
      took += this.#hintNs + this.#lockNs;
    }
    return took;
  }
}
