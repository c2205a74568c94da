import type { ModelConfig } from '../config.ts';
import type { Random } from '../engine/random.ts';
import { type Packet, Packets } from '../path/packet.ts';
import type { Stats } from '../stats.ts';
import type { Pages } from './pages.ts';

/** Faults of one job that are coalesced, at most. */
const COALESCED = 16;

/** Jobs of all device threads: the device thread's state machine (hw/accelerator/device-thread.ts) without its port. A job goes over
 * its window `passes` times; an access that finds its page absent stalls, and all of a round are answered before it goes on. */
export class Jobs {
  readonly #config: ModelConfig;
  readonly #stats: Stats;
  readonly #pages: Pages;
  readonly #pending: Int32Array; // pages of a thread's window that it has not accessed in this pass, by index
  readonly #seen: Uint8Array; // 1: its job has touched or posted this page
  readonly #left: Int32Array;
  readonly #window: Int32Array;
  readonly #pass: Int32Array;
  readonly #stalled: Int32Array; // faults of the round that have no answer
  readonly #firstTouch: Float64Array;
  readonly #began: Float64Array;
  readonly packets: Packets = new Packets();
  readonly packetFaults: number;
  readonly #coalesced: boolean;

  constructor(config: ModelConfig, stats: Stats, pages: Pages, random: Random) {
    const { threads, pagesPerJob, generation, adaptive } = config;
    this.#config = config;
    this.#stats = stats;
    this.#pages = pages;
    this.#pending = new Int32Array(threads * pagesPerJob);
    this.#seen = new Uint8Array(threads * pagesPerJob);
    this.#left = new Int32Array(threads);
    // Threads are in the midst of things: with buffers that are kept, none but the first window is the same for all.
    this.#window = Int32Array.from({ length: threads }, () =>
      config.buffers === 'keep' ? random.below(config.windows) : -1,
    );
    this.#pass = new Int32Array(threads);
    this.#stalled = new Int32Array(threads);
    this.#firstTouch = new Float64Array(threads);
    this.#began = new Float64Array(threads);
    this.#coalesced = generation === 'adaptive' && adaptive.coalescePerPage;
    this.packetFaults = Math.max(config.grain, this.#coalesced ? COALESCED : 1);
  }

  /** Goes on to the next window. @returns whether the buffers have all had their jobs: they are fresh memory again, or kept. */
  nextWindow(thread: number): boolean {
    const isRound = ++this.#window[thread] === this.#config.windows;
    if (isRound) this.#window[thread] = 0;
    return isRound;
  }

  begin(thread: number, now: number): void {
    const { pagesPerJob } = this.#config;
    this.#seen.fill(0, thread * pagesPerJob, (thread + 1) * pagesPerJob);
    this.#pass[thread] = 0;
    this.#began[thread] = now;
    this.beginPass(thread, now);
  }

  beginPass(thread: number, now: number): void {
    const { pagesPerJob } = this.#config;
    const base = thread * pagesPerJob;
    this.#left[thread] = pagesPerJob;
    for (let index = 0; index < pagesPerJob; index++) this.#pending[base + index] = index;
    this.#firstTouch[thread] = now;
  }

  /** Accesses what is left. @returns how many pages it looked at. */
  access(thread: number): number {
    const { pagesPerJob } = this.#config;
    const base = thread * pagesPerJob;
    const first = this.firstPage(thread);
    const had = this.#left[thread];
    let left = 0;
    for (let at = base; at < base + had; at++) {
      const index = this.#pending[at];
      if (this.#pages.touch(first + index)) this.#seen[base + index] = 1;
      else this.#pending[base + left++] = index;
    }
    this.#left[thread] = left;
    return had;
  }

  left(thread: number): number {
    return this.#left[thread];
  }

  /** Ends a pass. @returns whether the job is done. */
  endPass(thread: number): boolean {
    return ++this.#pass[thread] === this.#config.passes;
  }

  isTooOld(thread: number, now: number): boolean {
    return this.#stalled[thread] === 0 && now - this.#firstTouch[thread] > this.#config.timeoutMs * 1e6;
  }

  /** Makes packets of all pages that are left. */
  stall(thread: number, now: number, post: (packet: Packet) => void): number {
    const { pagesPerJob, devices } = this.#config;
    const base = thread * pagesPerJob;
    const left = this.#left[thread];
    for (let at = base; at < base + left; at++) {
      const page = base + this.#pending[at];
      if (this.#seen[page] === 1) this.#stats.refaults++;
      this.#seen[page] = 1;
    }
    this.#stats.posted += left;
    this.#stats.rounds++;
    this.#stalled[thread] = left;
    for (let first = 0; first < left; first += this.packetFaults) {
      const packet = this.packets.take();
      packet.thread = thread;
      packet.device = thread % devices;
      packet.first = first;
      packet.count = Math.min(this.packetFaults, left - first);
      packet.groups = this.#coalesced ? Math.ceil(packet.count / COALESCED) : packet.count;
      packet.postedAt = now;
      post(packet);
    }
    return left;
  }

  /** A packet's faults go on. @returns whether the round has all its answers. */
  resume(packet: Packet, now: number): boolean {
    const { thread } = packet;
    this.#stats.resumed(packet, now);
    this.#stalled[thread] -= packet.count;
    this.packets.free(packet);
    return this.#stalled[thread] === 0;
  }

  isWaiting(thread: number): boolean {
    return this.#stalled[thread] > 0;
  }

  end(thread: number, now: number, isDone: boolean): void {
    if (isDone) {
      this.#stats.jobs++;
      this.#stats.jobTime.record(now - this.#began[thread], 1);
    } else this.#stats.timeouts++;
  }

  /** Page number of a packet's fault. */
  pageOf(packet: Packet, fault: number): number {
    const base = packet.thread * this.#config.pagesPerJob;
    return this.firstPage(packet.thread) + this.#pending[base + packet.first + fault];
  }

  /** First page of the window that the thread is at. */
  firstPage(thread: number): number {
    const { pagesPerJob, windows } = this.#config;
    return (thread * windows + Math.max(0, this.#window[thread])) * pagesPerJob;
  }

  /** Faults that wait for their answers. */
  outstanding(): number {
    let sum = 0;
    for (const stalled of this.#stalled) sum += stalled;
    return sum;
  }

  /** Threads whose access is past its limit and has no answer yet: no count of ended jobs has them. */
  overdue(now: number): number {
    let count = 0;
    for (let thread = 0; thread < this.#stalled.length; thread++)
      if (this.#stalled[thread] > 0 && now - this.#firstTouch[thread] > this.#config.timeoutMs * 1e6) count++;
    return count;
  }
}
