import type { Words } from '@faultline/core/sync';
import { Announcements, NO_PORT } from '../queue/announce.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import { Turns } from '../queue/turns.ts';
import type { AtcUnit } from './atc-unit.ts';
import { CommandReader } from './command-reader.ts';
import { isLegal, legalCommands } from './command-rules.ts';
import {
  CFGI_RANGE_ALL,
  CMD_ATC_INV,
  CMD_CFGI_CD,
  CMD_CFGI_CD_ALL,
  CMD_CFGI_STE,
  CMD_CFGI_STE_RANGE,
  CMD_PREFETCH_ADDR,
  CMD_PREFETCH_CFG,
  CMD_PRI_RESP,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_SYNC,
  commandOp,
  commandStreamId,
  commandSubstream,
  RESUME_RETRY,
  resumeResp,
  resumeStag,
  SYNC_ILLEGAL,
  SYNC_IRQ,
  SYNC_SEV,
  syncSignal,
  syncWordAt,
} from './commands.ts';
import type { GlobalErrors } from './global-errors.ts';
import { readIdrs } from './id-registers.ts';
import {
  commandAnnounceAt,
  SMMU_CMDQ_COUNT,
  SMMU_IDRS,
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
import type { PriUnit } from './pri-unit.ts';
import { CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL, GERROR_CMDQ, GERROR_MSI_CMDQ } from './registers.ts';
import { STALL_ABORT, STALL_RETRY } from './stall-port.ts';
import type { StallRecorder } from './stall-recorder.ts';
import type { StallTable } from './stall-table.ts';
import type { StreamCache } from './stream-cache.ts';

// Consumes the command queues, each in order, all in turn. Commands take effect here and now, except invalidations of endpoints' caches:
// a CMD_SYNC waits for those of its own queue alone (command queues are unordered with one another). What it orders beyond that is that its
// consumption is visible before its completion is. Records written earlier are visible already: a pump consumes commands first, records
// accesses after that, and ends by publishing, so none is unpublished while a command is consumed.

/** What became of a command. */
export const COMMAND_DONE = 0;
/** Not yet: an endpoint is busy. */
export const COMMAND_WAIT = 1;
export const COMMAND_ILLEGAL = 2;
/** CMD_SYNC: an endpoint let an ATC invalidation before it time out. */
export const COMMAND_TIMED_OUT = 3;
const NO_QUEUE = -1;

/** Who keeps translations that this SMMU made. */
export interface TlbListener {
  /** Told of each TLBI command, the host's and guests', at `at` of `record`, which is valid during the call. It is complete on return.
   * Context: the hardware's thread. Must not allocate or wait. */
  invalidate(record: Int32Array, at: number): void;
}

export class CommandUnit {
  readonly #words: Words;
  readonly #stats: number;
  readonly #queues: CommandReader[];
  readonly #stalls: StallTable;
  readonly #ports: PortSet;
  readonly #streams: StreamCache;
  readonly #recorder: StallRecorder;
  readonly #pri: PriUnit;
  readonly #atc: AtcUnit;
  readonly #errors: GlobalErrors;
  readonly #tick: PumpTick;
  readonly #tlb: TlbListener | undefined;
  readonly #legal: Uint8Array; // by opcode
  readonly #announced: Announcements;
  readonly #turns: Turns; // queues that have commands, or stand at an error
  #enabled = false; // CMDQEN
  #translates = false; // SMMUEN
  #abortAt = NO_QUEUE; // fault injection: the queue whose next fetch aborts

  constructor(
    words: Words,
    base: number,
    stalls: StallTable,
    ports: PortSet,
    streams: StreamCache,
    recorder: StallRecorder,
    pri: PriUnit,
    atc: AtcUnit,
    errors: GlobalErrors,
    tick: PumpTick,
    tlb: TlbListener | undefined,
  ) {
    this.#words = words;
    this.#stats = base + SMMU_STATS;
    this.#queues = [];
    for (let q = 0; q < words[base + SMMU_CMDQ_COUNT]; q++) this.#queues.push(new CommandReader(words, base, q));
    this.#announced = new Announcements(words, commandAnnounceAt(words, base, 0), this.#queues.length);
    this.#turns = new Turns(this.#queues.length);
    this.#stalls = stalls;
    this.#ports = ports;
    this.#streams = streams;
    this.#recorder = recorder;
    this.#pri = pri;
    this.#atc = atc;
    this.#errors = errors;
    this.#tick = tick;
    this.#tlb = tlb;
    this.#legal = legalCommands(readIdrs(words, base + SMMU_IDRS));
  }

  /** SMMUEN, without which endpoints are not spoken to, and CMDQEN. */
  enable(translates: boolean, consumes: boolean): void {
    this.#translates = translates;
    this.#enabled = consumes;
  }

  /** Carries out a command that does not come from one of the queues, for one that only the ATC unit knows: all but RESUME and SYNC.
   * @returns COMMAND_DONE, COMMAND_WAIT or COMMAND_ILLEGAL. */
  execute(record: Int32Array, at: number, queue: number): number {
    const result = this.#execute(record, at, queue);
    if (result === COMMAND_DONE) this.#words[this.#stats + STAT_COMMANDS]++;
    return result;
  }

  /** A CMD_SYNC of such a queue. @returns COMMAND_DONE, COMMAND_WAIT or COMMAND_TIMED_OUT. */
  executeSync(queue: number): number {
    const result = this.#judgeSync(queue);
    if (result !== COMMAND_DONE) return result;
    this.#words[this.#stats + STAT_COMMANDS]++;
    this.#words[this.#stats + STAT_SYNCS]++;
    return result;
  }

  /** Such a queue has stopped at a command. */
  noteError(): void {
    this.#words[this.#stats + STAT_COMMAND_ERRORS]++;
  }

  /** The next command of the queue cannot be read. */
  injectAbort(queue: number): void {
    this.#abortAt = queue;
  }

  /** Consumes up to `budget` commands. @returns how many. */
  consume(budget: number): number {
    if (!this.#enabled) return 0;
    for (let number = this.#announced.next(); number !== NO_PORT; number = this.#announced.next())
      this.#turns.join(number);
    let done = 0;
    for (let left = this.#turns.count; left > 0 && done < budget; left--) {
      const number = this.#turns.head();
      this.#turns.leave(); // what is published from now on is announced
      const queue = this.#queues[number];
      const available = queue.available();
      const consumed = available > 0 ? this.#consumeQueue(queue, number, Math.min(available, budget - done)) : 0;
      done += consumed;
      const stopped = consumed < available || available === 0 ? queue.stopped() : false;
      if (stopped) this.#errors.raise(GERROR_CMDQ); // again, if it was acknowledged for another queue's error
      if (stopped || consumed < available) this.#turns.join(number);
    }
    return done;
  }

  /** Whether {@link consume} would get anywhere, looking afresh. A CMD_SYNC that waits for a function counts: its time-out rings nobody. */
  canConsume(): boolean {
    if (!this.#enabled) return false;
    if (this.#announced.pending()) return true;
    for (let i = 0; i < this.#turns.count; i++) if (this.#queues[this.#turns.at(i)].available() > 0) return true;
    return false;
  }

  #consumeQueue(queue: CommandReader, number: number, count: number): number {
    let done = 0;
    while (done < count) {
      if (number === this.#abortAt) {
        this.#abortAt = NO_QUEUE;
        this.#fail(queue, CERROR_ABT);
        break;
      }
      done += this.#consumeRun(queue, number, count - done);
      if (done === count || !this.#consumeOdd(queue, number)) break;
      done++;
    }
    this.#words[this.#stats + STAT_COMMANDS] += done;
    queue.release();
    return done;
  }

  /** Consumes up to `count` commands, up to a CMD_SYNC, an illegal one, or one that has to wait. @returns how many. */
  #consumeRun(queue: CommandReader, number: number, count: number): number {
    const words = this.#words;
    let done = 0;
    while (done < count) {
      const at = queue.at(done);
      if ((words[at] & 0xff) === CMD_RESUME && this.#legal[CMD_RESUME] === 1) this.#resume(at);
      else if ((words[at] & 0xff) === CMD_SYNC || this.#execute(words, at, number) !== COMMAND_DONE) break;
      done++;
    }
    queue.skip(done);
    return done;
  }

  /** The command that ended a run. @returns whether it was consumed: a CMD_SYNC that is complete. */
  #consumeOdd(queue: CommandReader, number: number): boolean {
    const at = queue.at(0);
    if (commandOp(this.#words, at) !== CMD_SYNC) {
      if (!isLegal(this.#words, at, this.#legal)) this.#fail(queue, CERROR_ILL);
      return false;
    }
    if (syncSignal(this.#words, at) === SYNC_ILLEGAL) {
      this.#fail(queue, CERROR_ILL);
      return false;
    }
    const result = this.#judgeSync(number);
    if (result === COMMAND_TIMED_OUT) this.#fail(queue, CERROR_ATC_INV_SYNC);
    if (result !== COMMAND_DONE) return false;
    queue.skip(1);
    this.#completeSync(queue, at);
    return true;
  }

  #judgeSync(queue: number): number {
    if (this.#atc.isWaiting(queue)) return COMMAND_WAIT;
    return this.#atc.takeFailure(queue) ? COMMAND_TIMED_OUT : COMMAND_DONE;
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

  /** All commands but RESUME and SYNC. @returns COMMAND_DONE, COMMAND_WAIT or COMMAND_ILLEGAL. */
  #execute(record: Int32Array, at: number, queue: number): number {
    const words = this.#words;
    if (!isLegal(record, at, this.#legal)) return COMMAND_ILLEGAL;
    const streamId = commandStreamId(record, at);
    switch (commandOp(record, at)) {
      case CMD_STALL_TERM:
        this.#recorder.terminateStream(streamId);
        return COMMAND_DONE;
      case CMD_CFGI_STE:
        this.#streams.reload(streamId, 1);
        return COMMAND_DONE;
      case CMD_CFGI_STE_RANGE:
        this.#reloadRange(record, at);
        return COMMAND_DONE;
      case CMD_CFGI_CD:
        this.#streams.forget(streamId, record[at] >>> 12);
        return COMMAND_DONE;
      case CMD_CFGI_CD_ALL:
        this.#streams.forgetAll(streamId);
        return COMMAND_DONE;
      case CMD_PREFETCH_CFG:
      case CMD_PREFETCH_ADDR:
        if (this.#translates) this.#streams.prefetch(streamId, commandSubstream(record, at));
        return COMMAND_DONE;
      case CMD_PRI_RESP:
        this.#pri.respond(record, at);
        return COMMAND_DONE;
      case CMD_ATC_INV:
        if (this.#translates && !this.#atc.send(queue, record, at)) return COMMAND_WAIT;
        words[this.#stats + STAT_INVALIDATIONS]++;
        return COMMAND_DONE;
      default: // TLBI
        this.#tlb?.invalidate(record, at);
        words[this.#stats + STAT_INVALIDATIONS]++;
        return COMMAND_DONE;
    }
  }

  #reloadRange(record: Int32Array, at: number): void {
    const range = record[at + 2] & 0x1f;
    if (range === CFGI_RANGE_ALL) {
      this.#streams.reload(0, this.#streams.streams);
      return;
    }
    const span = 2 ** (range + 1);
    this.#streams.reload(Math.floor(commandStreamId(record, at) / span) * span, span);
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
      this.#errors.raise(GERROR_MSI_CMDQ); // the write aborts; the command is done all the same
      return;
    }
    Atomics.store(words, wordAt, data); // pairs with SmmuOps: the MSI word, then whatever the SYNC was to order
    Atomics.notify(words, wordAt);
  }

  #fail(queue: CommandReader, reason: number): void {
    this.#words[this.#stats + STAT_COMMAND_ERRORS]++;
    queue.stop(reason); // the reason is visible before GERROR is
    this.#errors.raise(GERROR_CMDQ);
  }
}
