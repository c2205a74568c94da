import { LINE, type Words } from '@faultline/core/sync';
import { CommandReader } from './command-reader.ts';
import {
  CMD_ATC_INV,
  CMD_CFGI_STE,
  CMD_CFGI_STE_RANGE,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_SYNC,
  CMD_TLBI_NH_ALL,
  CMD_TLBI_NSNH_ALL,
  commandKind,
  commandOp,
  commandStreamId,
  RESUME_RETRY,
  resumeResp,
  resumeStag,
  SYNC_ILLEGAL,
  SYNC_IRQ,
  SYNC_SEV,
  syncSignal,
  syncWordAt,
} from './commands.ts';
import {
  commandAnnounceAt,
  QUEUES_PER_ANNOUNCE,
  SMMU_CMDQ_COUNT,
  SMMU_GERROR,
  SMMU_GERRORN,
  SMMU_STATS,
  STAT_ABORTED,
  STAT_COMMAND_ERRORS,
  STAT_COMMANDS,
  STAT_INVALIDATIONS,
  STAT_RETRIED,
  STAT_STRAYS,
  STAT_SYNCS,
} from './layout.ts';
import type { PortSet } from './port-set.ts';
import type { PumpTick } from './pump-tick.ts';
import { CERROR_ILL, GERROR_CMDQ, GERROR_MSI_CMDQ } from './registers.ts';
import { STALL_ABORT, STALL_RETRY } from './stall-port.ts';
import type { StallRecorder } from './stall-recorder.ts';
import type { StallTable } from './stall-table.ts';
import type { StreamCache } from './stream-cache.ts';

// Consumes the command queues, each in order, all in turn. Commands take effect here and now, so CMD_SYNC has nothing to wait for:
// what it orders is that its consumption is visible before its completion is. Records written earlier are visible already: a pump consumes
// commands first, records accesses after that, and ends by publishing, so none is unpublished while a command is consumed.

export class CommandUnit {
  readonly #words: Words;
  readonly #base: number;
  readonly #stats: number;
  readonly #queues: CommandReader[];
  readonly #stalls: StallTable;
  readonly #ports: PortSet;
  readonly #streams: StreamCache;
  readonly #recorder: StallRecorder;
  readonly #tick: PumpTick;
  readonly #announceBase: number;
  readonly #announceWords: number;
  // Queues that have commands, or stand at an error: a ring, the head is served and then goes to the end, so that a small budget
  // starves none.
  readonly #turns: Int32Array;
  readonly #waiting: Uint8Array; // 1: in the ring
  #turnHead = 0;
  #turnCount = 0;
  #enabled = false; // CMDQEN

  constructor(
    words: Words,
    base: number,
    stalls: StallTable,
    ports: PortSet,
    streams: StreamCache,
    recorder: StallRecorder,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + SMMU_STATS;
    this.#queues = [];
    for (let q = 0; q < words[base + SMMU_CMDQ_COUNT]; q++) this.#queues.push(new CommandReader(words, base, q));
    this.#announceBase = commandAnnounceAt(words, base, 0);
    this.#announceWords = Math.ceil(this.#queues.length / QUEUES_PER_ANNOUNCE);
    this.#turns = new Int32Array(this.#queues.length);
    this.#waiting = new Uint8Array(this.#queues.length);
    this.#stalls = stalls;
    this.#ports = ports;
    this.#streams = streams;
    this.#recorder = recorder;
    this.#tick = tick;
  }

  enable(on: boolean): void {
    this.#enabled = on;
  }

  /** Consumes up to `budget` commands. @returns how many. */
  consume(budget: number): number {
    if (!this.#enabled) return 0;
    this.#collect();
    let done = 0;
    for (let left = this.#turnCount; left > 0 && done < budget; left--) {
      const number = this.#turns[this.#turnHead];
      this.#turnHead = (this.#turnHead + 1) % this.#turns.length;
      this.#turnCount--;
      const queue = this.#queues[number];
      const available = queue.available();
      const consumed = available > 0 ? this.#consumeQueue(queue, Math.min(available, budget - done)) : 0;
      done += consumed;
      const stopped = consumed < available || available === 0 ? queue.stopped() : false;
      if (stopped) this.#raise(GERROR_CMDQ); // again, if it was acknowledged for another queue's error
      if (stopped || consumed < available) this.#giveTurn(number);
      else this.#waiting[number] = 0; // what is published from now on is announced
    }
    return done;
  }

  /** Whether {@link consume} would get anywhere, looking afresh. */
  canConsume(): boolean {
    if (!this.#enabled) return false;
    for (let i = 0; i < this.#announceWords; i++)
      if (Atomics.load(this.#words, this.#announceBase + i * LINE) !== 0) return true;
    for (let i = 0; i < this.#turnCount; i++)
      if (this.#queues[this.#turns[(this.#turnHead + i) % this.#turns.length]].available() > 0) return true;
    return false;
  }

  /** Takes the announcements that have come in: their queues join the end of the turn list. */
  #collect(): void {
    for (let i = 0; i < this.#announceWords; i++) {
      const at = this.#announceBase + i * LINE;
      if (Atomics.load(this.#words, at) === 0) continue;
      let bits = Atomics.exchange(this.#words, at, 0); // [A]
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        const number = i * QUEUES_PER_ANNOUNCE + bit;
        if (number >= this.#queues.length || this.#waiting[number] === 1) continue;
        this.#waiting[number] = 1;
        this.#giveTurn(number);
      }
    }
  }

  #giveTurn(number: number): void {
    this.#turns[(this.#turnHead + this.#turnCount) % this.#turns.length] = number;
    this.#turnCount++;
  }

  #consumeQueue(queue: CommandReader, count: number): number {
    let done = 0;
    while (done < count) {
      done += this.#consumeRun(queue, count - done);
      if (done === count || !this.#consumeOdd(queue)) break;
      done++;
    }
    this.#words[this.#stats + STAT_COMMANDS] += done;
    queue.release();
    return done;
  }

  /** Consumes up to `count` commands, up to a CMD_SYNC or an illegal one. @returns how many. */
  #consumeRun(queue: CommandReader, count: number): number {
    const words = this.#words;
    let done = 0;
    while (done < count) {
      const at = queue.at(done);
      if ((words[at] & 0xff) === CMD_RESUME) this.#resume(at);
      else if ((words[at] & 0xff) === CMD_SYNC || !this.#execute(at)) break;
      done++;
    }
    queue.skip(done);
    return done;
  }

  /** The command that ended a run: a CMD_SYNC, or one that is illegal. @returns whether it was consumed. */
  #consumeOdd(queue: CommandReader): boolean {
    const at = queue.at(0);
    if (commandOp(this.#words, at) === CMD_SYNC && syncSignal(this.#words, at) !== SYNC_ILLEGAL) {
      queue.skip(1);
      this.#completeSync(queue, at);
      return true;
    }
    this.#fail(queue);
    return false;
  }

  #resume(at: number): void {
    const words = this.#words;
    const stag = resumeStag(words, at);
    const slotAt = this.#stalls.find(stag, words[at + 1]);
    if (slotAt === 0) {
      words[this.#stats + STAT_STRAYS]++;
      return;
    }
    const retry = (resumeResp(words, at) & RESUME_RETRY) !== 0;
    const port = this.#stalls.port(stag);
    this.#stalls.release(stag);
    words[this.#stats + (retry ? STAT_RETRIED : STAT_ABORTED)]++;
    this.#ports.finish(port, slotAt, retry ? STALL_RETRY : STALL_ABORT, this.#tick.now());
  }

  /** All commands but RESUME and SYNC. @returns false for one that is illegal. */
  #execute(at: number): boolean {
    const words = this.#words;
    const op = commandOp(words, at);
    if (op === CMD_STALL_TERM) this.#recorder.terminateStream(commandStreamId(words, at));
    else if (op === CMD_CFGI_STE) this.#streams.reload(commandStreamId(words, at), 1);
    else if (op === CMD_CFGI_STE_RANGE) this.#reloadRange(at);
    else if (op === CMD_ATC_INV || (op >= CMD_TLBI_NH_ALL && op <= CMD_TLBI_NSNH_ALL && commandKind(op) !== undefined))
      words[this.#stats + STAT_INVALIDATIONS]++; // the device walks the address space itself: there is no TLB to empty
    else return commandKind(op) !== undefined; // PREFETCH_CFG, CFGI_CD, PRI_RESP: nothing here is cached or pending for them
    return true;
  }

  #reloadRange(at: number): void {
    const log2 = (this.#words[at + 2] & 0x1f) + 1;
    const span = 2 ** log2;
    this.#streams.reload(Math.floor(commandStreamId(this.#words, at) / span) * span, span);
  }

  #completeSync(queue: CommandReader, at: number): void {
    const words = this.#words;
    const signal = syncSignal(words, at);
    const wordAt = syncWordAt(words, at);
    const data = words[at + 1];
    words[this.#stats + STAT_SYNCS]++;
    queue.release(); // from here on the entry may be overwritten
    if (signal === SYNC_SEV) queue.signal();
    if (signal !== SYNC_IRQ) return;
    if (wordAt === 0 || wordAt >= words.length) {
      this.#raise(GERROR_MSI_CMDQ); // the write aborts; the command is done all the same
      return;
    }
    Atomics.store(words, wordAt, data); // pairs with SmmuOps: the MSI word, then whatever the SYNC was to order
    Atomics.notify(words, wordAt);
  }

  #fail(queue: CommandReader): void {
    this.#words[this.#stats + STAT_COMMAND_ERRORS]++;
    queue.stop(CERROR_ILL); // the reason is visible before GERROR is
    this.#raise(GERROR_CMDQ);
  }

  /** Toggles a GERROR bit unless it is active already. */
  #raise(bit: number): void {
    const gerror = Atomics.load(this.#words, this.#base + SMMU_GERROR);
    if (((gerror ^ Atomics.load(this.#words, this.#base + SMMU_GERRORN)) & bit) !== 0) return;
    Atomics.store(this.#words, this.#base + SMMU_GERROR, gerror ^ bit);
  }
}
