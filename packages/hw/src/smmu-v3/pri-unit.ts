import type { Words } from '@faultline/core/sync';
import {
  NO_PORT,
  NO_RECORD,
  PRG_FAILURE,
  PRG_INVALID,
  PRG_SUCCESS,
  type PriPortSet,
  type PriServant,
  REQUEST_EXEC,
  REQUEST_FLAGS,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_PASID_VALID,
  REQUEST_PRGI,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/index.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import type { AtcUnit } from './atc-unit.ts';
import {
  commandStreamId,
  commandSubstream,
  PRI_RESP_INVALID,
  PRI_RESP_SUCCESS,
  priRespCode,
  priRespIndex,
} from './commands.ts';
import type { EventWriter } from './event-writer.ts';
import { EVT_C_BAD_STE, EVT_C_BAD_STREAMID, substreamBits, writeConfigurationEvent } from './events.ts';
import type { GlobalErrors } from './global-errors.ts';
import { readIdrs } from './id-registers.ts';
import {
  SMMU_CR2,
  SMMU_IDRS,
  SMMU_STATS,
  STAT_AUTO_FAILURE,
  STAT_AUTO_SUCCESS,
  STAT_PRI_LOST,
  STAT_PRI_RESPONSES,
  STAT_PRI_STRAYS,
} from './layout.ts';
import {
  isStopMarker,
  PRIQ_EXEC,
  PRIQ_LAST,
  PRIQ_PRIV,
  PRIQ_READ,
  PRIQ_SSV,
  PRIQ_WRITE,
  writePriqRecord,
} from './priq-records.ts';
import { NO_ENTRY, type PriqWriter } from './priq-writer.ts';
import { CR2_REC_CFG_ATS, CR2_RECINVSID, GERROR_PRIQ_ABT } from './registers.ts';
import { PPAR_UNKNOWN, type StreamCache } from './stream-cache.ts';

// What endpoints send: page requests go into the PRI queue, or are discarded, answered by the hardware itself or in silence (chapter 8);
// completions go to the invalidations they end. And the answers that software sends back.

/** Records that a port may have taken before the next one has its turn. */
const TURN = 16;
const PRGI_MASK = 0x1ff;
const PASID_MASK = 0xfffff;
const NO_PASID = -1;

/** An abort of a write into the PRI queue, for fault injection (8.2). */
export type PriqAbort = 'synchronous' | 'asynchronous';

export class PriUnit {
  readonly #words: Words;
  readonly #stats: number;
  readonly #base: number;
  readonly #events: EventWriter;
  readonly #queue: PriqWriter;
  readonly #ports: PriPortSet;
  readonly #streams: StreamCache;
  readonly #atc: AtcUnit;
  readonly #errors: GlobalErrors;
  readonly #tick: PumpTick;
  readonly #passesPasid: boolean; // IDR3.PPS
  #enabled = false; // PRIQEN, and SMMUEN
  #translates = false; // SMMUEN
  #aborted = false; // PRIQ_ABT_ERR was active when last looked at
  #abort: PriqAbort | undefined;

  constructor(
    words: Words,
    base: number,
    events: EventWriter,
    queue: PriqWriter,
    ports: PriPortSet,
    streams: StreamCache,
    atc: AtcUnit,
    errors: GlobalErrors,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + SMMU_STATS;
    this.#events = events;
    this.#queue = queue;
    this.#ports = ports;
    this.#streams = streams;
    this.#atc = atc;
    this.#errors = errors;
    this.#tick = tick;
    this.#passesPasid = readIdrs(words, base + SMMU_IDRS).pps === 1;
  }

  /** SMMUEN and PRIQEN, which means nothing without SMMUEN. Off: what was recorded is published first, and every request is answered
   * Response Failure. */
  enable(translates: boolean, records: boolean): void {
    this.#translates = translates;
    const on = translates && records && this.#queue.exists;
    if (!on) this.#queue.publish();
    this.#enabled = on;
  }

  /** The next page request that is recorded is lost on its way. */
  injectAbort(kind: PriqAbort): void {
    this.#abort = kind;
  }

  /** Takes up to `budget` messages of the endpoints, ports in turn. @returns how many. */
  take(budget: number): number {
    this.#ports.collect();
    let done = 0;
    while (done < budget) {
      const port = this.#ports.head();
      if (port === NO_PORT) break;
      done += this.#takePort(port, Math.min(TURN, budget - done));
      this.#ports.rotate();
    }
    return done;
  }

  /** Publishes what was recorded, and what was answered. */
  publish(): void {
    this.#queue.publish();
    this.#ports.flush();
  }

  /** Whether {@link take} would get anywhere, looking afresh. */
  canTake(): boolean {
    return this.#ports.head() !== NO_PORT || this.#ports.announced();
  }

  /** CMD_PRI_RESP: sends the answer on. A StreamID or group index that is nobody's is ignored. */
  respond(record: Int32Array, at: number): void {
    const words = this.#words;
    const resp = priRespCode(record, at);
    const code = resp === PRI_RESP_SUCCESS ? PRG_SUCCESS : resp === PRI_RESP_INVALID ? PRG_INVALID : PRG_FAILURE;
    const pasid = commandSubstream(record, at);
    const sent =
      this.#translates &&
      this.#ports.respond(commandStreamId(record, at), priRespIndex(record, at), code, pasid, this.#tick.now());
    words[this.#stats + (sent ? STAT_PRI_RESPONSES : STAT_PRI_STRAYS)]++;
  }

  #takePort(port: number, budget: number): number {
    const servant = this.#ports.servant(port);
    let done = 0;
    while (done < budget) {
      const at = servant.peek();
      if (at === NO_RECORD) break;
      const words = this.#words;
      if ((words[at + REQUEST_FLAGS] & REQUEST_INVALIDATED) !== 0) this.#atc.complete(port, words[at + REQUEST_PRGI]);
      else this.#request(servant, port, at);
      servant.next();
      done++;
    }
    return done;
  }

  #request(servant: PriServant, port: number, at: number): void {
    const words = this.#words;
    const flags = priqFlags(words[at + REQUEST_FLAGS]);
    const pasid = flags < 0 ? words[at + REQUEST_PASID] & PASID_MASK : NO_PASID;
    const prgi = words[at + REQUEST_PRGI] & PRGI_MASK;
    if (!this.#isWritable()) {
      this.#fail(port, flags, prgi);
      return;
    }
    if (this.#abort !== undefined) this.#queue.publish(); // what was written before is valid
    const entry = this.#queue.claim((flags & PRIQ_LAST) !== 0);
    if (entry === NO_ENTRY) {
      this.#overflowed(port, servant.rid, flags, prgi, pasid);
      return;
    }
    const pageLo = words[at + REQUEST_PAGE_LO];
    writePriqRecord(words, entry, servant.rid, flags, pasid, prgi, pageLo, words[at + REQUEST_PAGE_HI]);
    if (this.#abort !== undefined) this.#abortWrite(port, flags, prgi);
  }

  #isWritable(): boolean {
    if (!this.#enabled) return false;
    if (this.#aborted) this.#aborted = this.#errors.isActive(GERROR_PRIQ_ABT);
    return !this.#aborted;
  }

  /** Queue off or aborted: every request is answered, Last or not, without a PASID. */
  #fail(port: number, flags: number, prgi: number): void {
    if (isStopMarker(flags)) this.#words[this.#stats + STAT_PRI_LOST]++;
    else this.#answer(port, prgi, PRG_FAILURE, NO_PASID);
  }

  /** Success, so that the endpoint tries again, finds nothing mapped and asks again, when there may be room (8.1). */
  #overflowed(port: number, rid: number, flags: number, prgi: number, pasid: number): void {
    if ((flags & PRIQ_LAST) === 0 || isStopMarker(flags)) {
      this.#words[this.#stats + STAT_PRI_LOST]++;
      return;
    }
    if (pasid === NO_PASID || this.#passesPasid) {
      this.#answer(port, prgi, PRG_SUCCESS, pasid);
      return;
    }
    const ppar = this.#streams.ppar(rid);
    if (ppar === PPAR_UNKNOWN) {
      this.#recordBadStream(rid, pasid);
      this.#answer(port, prgi, PRG_FAILURE, NO_PASID);
    } else this.#answer(port, prgi, PRG_SUCCESS, ppar === 1 ? pasid : NO_PASID);
  }

  /** Why STE.PPAR could not be read, if software wants to know. */
  #recordBadStream(rid: number, pasid: number): void {
    const cr2 = Atomics.load(this.#words, this.#base + SMMU_CR2);
    const outside = rid >= this.#streams.streams;
    if ((cr2 & CR2_REC_CFG_ATS) === 0 || (outside && (cr2 & CR2_RECINVSID) === 0)) return;
    const at = this.#events.claimOrDrop();
    const id = outside ? EVT_C_BAD_STREAMID : EVT_C_BAD_STE;
    if (at !== 0) writeConfigurationEvent(this.#words, at, id, rid, substreamBits(pasid));
  }

  /** Of a synchronous abort the endpoint is told; an asynchronous one comes too late for an answer. */
  #abortWrite(port: number, flags: number, prgi: number): void {
    this.#queue.retract();
    if (this.#abort === 'synchronous') this.#fail(port, flags, prgi);
    else this.#words[this.#stats + STAT_PRI_LOST]++;
    this.#abort = undefined;
    this.#aborted = true;
    this.#errors.raise(GERROR_PRIQ_ABT);
  }

  #answer(port: number, prgi: number, code: number, pasid: number): void {
    this.#words[this.#stats + (code === PRG_SUCCESS ? STAT_AUTO_SUCCESS : STAT_AUTO_FAILURE)]++;
    this.#ports.respondTo(port, prgi, code, pasid, this.#tick.now());
  }
}

/** REQUEST_* to PRIQ_*. EXEC and PRIV mean something with a PASID alone. */
function priqFlags(request: number): number {
  const flags =
    ((request & REQUEST_READ) !== 0 ? PRIQ_READ : 0) |
    ((request & REQUEST_WRITE) !== 0 ? PRIQ_WRITE : 0) |
    ((request & REQUEST_LAST) !== 0 ? PRIQ_LAST : 0);
  if ((request & REQUEST_PASID_VALID) === 0) return flags;
  return (
    flags |
    PRIQ_SSV |
    ((request & REQUEST_EXEC) !== 0 ? PRIQ_EXEC : 0) |
    ((request & REQUEST_PRIV) !== 0 ? PRIQ_PRIV : 0)
  );
}
