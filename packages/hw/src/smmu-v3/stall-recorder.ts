import type { Words } from '@faultline/core/sync';
import { NO_PORT } from '../queue/announce.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import type { EventWriter } from './event-writer.ts';
import {
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_CD_FETCH,
  EVT_F_STREAM_DISABLED,
  EVT_F_TRANSLATION,
  setStage2,
  substreamBits,
  writeConfigurationEvent,
  writeFetchEvent,
  writeTranslationFault,
} from './events.ts';
import { SMMU_STATS, STAT_BYPASSED, STAT_HELD_TAG, STAT_STALLS, STAT_TERMINATED } from './layout.ts';
import type { PortSet } from './port-set.ts';
import {
  STALL_ABORT,
  STALL_IPA_HI,
  STALL_IPA_LO,
  STALL_IPA_VALID,
  STALL_PAGE_HI,
  STALL_PAGE_LO,
  STALL_PERM,
  STALL_RETRY,
  STALL_WORDS,
} from './stall-port.ts';
import type { StallTable } from './stall-table.ts';
import { ROUTE_ABORT, ROUTE_BYPASS, ROUTE_S2, ROUTE_STALL, ROUTE_STALL_S2, type StreamCache } from './stream-cache.ts';

// Turns posted accesses into records. A port may record this many before the next one has its turn, so that a busy port starves nobody.
const TURN = 16;

const HELD_NOT = 0;
const HELD_FOR_ENTRY = 1;
const HELD_FOR_TAG = 2;

export class StallRecorder {
  readonly #words: Words;
  readonly #stats: number;
  readonly #events: EventWriter;
  readonly #stalls: StallTable;
  readonly #ports: PortSet;
  readonly #streams: StreamCache;
  readonly #tick: PumpTick;
  #held = HELD_NOT; // why the port whose turn it is cannot go on
  #enabled = false; // SMMUEN

  constructor(
    words: Words,
    base: number,
    events: EventWriter,
    stalls: StallTable,
    ports: PortSet,
    streams: StreamCache,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#stats = base + SMMU_STATS;
    this.#events = events;
    this.#stalls = stalls;
    this.#ports = ports;
    this.#streams = streams;
    this.#tick = tick;
  }

  /** SMMUEN. Off: every access ends. */
  enable(on: boolean): void {
    this.#enabled = on;
  }

  /** Deals with up to `budget` posted accesses, ports in turn. A stall that finds no tag or no entry waits in its port; nothing is lost.
   * @returns how many were dealt with. */
  record(budget: number): number {
    this.#ports.collect();
    this.#held = HELD_NOT;
    let done = 0;
    while (done < budget) {
      const port = this.#ports.head();
      if (port === NO_PORT) break;
      done += this.#recordPort(port, Math.min(TURN, budget - done));
      if (this.#held !== HELD_NOT) return done;
      this.#ports.rotate();
    }
    this.#events.unhold();
    return done;
  }

  /** Whether {@link record} would get anywhere, looking afresh. */
  canRecord(): boolean {
    if (this.#ports.announced()) return true;
    if (this.#ports.head() === NO_PORT || this.#held === HELD_FOR_TAG) return false; // a tag comes with a command
    return this.#held === HELD_NOT || this.#events.hasSpace();
  }

  /** CMD_STALL_TERM: ends every stall of the stream, recorded or not. */
  terminateStream(streamId: number): void {
    for (let port = 0; port < this.#ports.count; port++) {
      if (this.#ports.stream(port) === (streamId | 0)) this.#endWaiting(port, this.#ports.waiting(port));
    }
    for (let stag = 0; stag < this.#stalls.capacity; stag++) {
      if (this.#stalls.slot(stag) !== 0 && this.#stalls.stream(stag) === (streamId | 0)) this.#terminate(stag);
    }
  }

  /** SMMUEN to 0: ends every recorded stall; tags are free again. */
  terminateAll(): void {
    for (let stag = 0; stag < this.#stalls.capacity; stag++) {
      if (this.#stalls.slot(stag) !== 0) this.#terminate(stag);
    }
  }

  #recordPort(port: number, budget: number): number {
    const waiting = Math.min(budget, this.#ports.waiting(port));
    const streamId = this.#ports.stream(port);
    const substreamId = this.#ports.substream(port);
    const next = this.#ports.peek(port);
    const count = this.#alike(next, waiting);
    let route = this.#enabled ? this.#streams.route(streamId >>> 0, substreamId) : ROUTE_ABORT;
    // What stage 1 has translated is stage 2's to judge, unless the configuration has changed since.
    const isTranslated = route === ROUTE_STALL || route === EVT_F_TRANSLATION || route === ROUTE_ABORT;
    if (this.#enabled && isTranslated && this.#isStage2(next)) route = this.#streams.stage2Route(streamId >>> 0);
    if (route === ROUTE_STALL || route === ROUTE_STALL_S2)
      return this.#stallPort(port, count, streamId, substreamId, route === ROUTE_STALL_S2);
    if (route === ROUTE_BYPASS) return this.#bypassPort(port, count);
    if (route > 0) return this.#endWithEvent(port, count, route, streamId, substreamId);
    return this.#endWaiting(port, count);
  }

  #isStage2(slotAt: number): boolean {
    return (this.#words[slotAt + STALL_IPA_HI] & STALL_IPA_VALID) !== 0;
  }

  /** How many of the slots from one on are of the same stage as that one. */
  #alike(slotAt: number, count: number): number {
    const stage2 = this.#isStage2(slotAt);
    let alike = 1;
    while (alike < count && this.#isStage2(slotAt + alike * STALL_WORDS) === stage2) alike++;
    return Math.min(alike, count);
  }

  /** Makes a record stage 2's. */
  #markStage2(entry: number, slotAt: number): void {
    const words = this.#words;
    setStage2(words, entry);
    if (!this.#isStage2(slotAt)) return;
    const ipaLo = words[slotAt + STALL_IPA_LO];
    words[entry + 6] = ipaLo << 12;
    words[entry + 7] = (ipaLo >>> 20) | ((words[slotAt + STALL_IPA_HI] & 0xfff) << 12);
  }

  /** Records a run of stalls: as many as there are tags and entries for. None: the port waits. */
  #stallPort(port: number, count: number, streamId: number, substreamId: number, stage2: boolean): number {
    const tags = Math.min(count, this.#stalls.free);
    if (tags === 0) return this.#holdForTag();
    const run = this.#events.reserve(tags) || this.#holdForEntry(tags);
    let slotAt = this.#ports.take(port, run);
    for (let i = 0; i < run; i++) {
      const entry = this.#events.claim();
      this.#stall(entry, slotAt, port, streamId, substreamId);
      if (stage2) this.#markStage2(entry, slotAt);
      slotAt += STALL_WORDS;
    }
    this.#words[this.#stats + STAT_STALLS] += run;
    return run;
  }

  #stall(entry: number, slotAt: number, port: number, streamId: number, substreamId: number): void {
    const words = this.#words;
    const stag = this.#stalls.take(slotAt, port, streamId);
    const perm = words[slotAt + STALL_PERM];
    const pageLo = words[slotAt + STALL_PAGE_LO];
    writeTranslationFault(words, entry, streamId, substreamId, stag, perm, pageLo, words[slotAt + STALL_PAGE_HI]);
  }

  #holdForTag(): number {
    this.#held = HELD_FOR_TAG;
    this.#words[this.#stats + STAT_HELD_TAG]++;
    return 0;
  }

  /** @returns entries after all, when the queue was drained just now. */
  #holdForEntry(count: number): number {
    const run = this.#events.hold() ? 0 : this.#events.reserve(count);
    if (run === 0) this.#held = HELD_FOR_ENTRY;
    return run;
  }

  #bypassPort(port: number, count: number): number {
    for (let i = 0; i < count; i++) {
      this.#words[this.#stats + STAT_BYPASSED]++;
      this.#ports.finish(port, this.#ports.take(port, 1), STALL_RETRY, this.#tick.now());
    }
    return count;
  }

  /** Ends accesses without a record. */
  #endWaiting(port: number, count: number): number {
    for (let i = 0; i < count; i++) {
      this.#words[this.#stats + STAT_TERMINATED]++;
      this.#ports.finish(port, this.#ports.take(port, 1), STALL_ABORT, this.#tick.now());
    }
    return count;
  }

  /** Ends accesses with a record each, which is dropped when the queue is full: only stalls are worth waiting for. */
  #endWithEvent(port: number, count: number, id: number, streamId: number, substreamId: number): number {
    for (let i = 0; i < count; i++) {
      const slotAt = this.#ports.take(port, 1);
      const entry = this.#events.claimOrDrop();
      if (entry !== 0) this.#writeEvent(entry, id, slotAt, streamId, substreamId);
      this.#words[this.#stats + STAT_TERMINATED]++;
      this.#ports.finish(port, slotAt, STALL_ABORT, this.#tick.now());
    }
    return count;
  }

  #writeEvent(entry: number, id: number, slotAt: number, streamId: number, substreamId: number): void {
    const words = this.#words;
    if ((id & ~ROUTE_S2) === EVT_F_TRANSLATION) {
      const perm = words[slotAt + STALL_PERM];
      const pageLo = words[slotAt + STALL_PAGE_LO];
      writeTranslationFault(words, entry, streamId, substreamId, -1, perm, pageLo, words[slotAt + STALL_PAGE_HI]);
      if (id !== EVT_F_TRANSLATION) this.#markStage2(entry, slotAt);
    } else if (id === EVT_F_CD_FETCH) {
      const { fetchLo, fetchHi } = this.#streams;
      writeFetchEvent(words, entry, id, streamId, substreamBits(substreamId), fetchLo, fetchHi);
    } else if (id === EVT_C_BAD_SUBSTREAMID) {
      writeConfigurationEvent(words, entry, id, streamId, Math.max(0, substreamId) << 12); // no SSV bit in this one
    } else {
      const substream = id === EVT_F_STREAM_DISABLED ? 0 : substreamBits(substreamId);
      writeConfigurationEvent(words, entry, id, streamId, substream);
    }
  }

  #terminate(stag: number): void {
    const slotAt = this.#stalls.slot(stag);
    const port = this.#stalls.port(stag);
    this.#stalls.release(stag);
    this.#words[this.#stats + STAT_TERMINATED]++;
    this.#ports.finish(port, slotAt, STALL_ABORT, this.#tick.now());
  }
}
