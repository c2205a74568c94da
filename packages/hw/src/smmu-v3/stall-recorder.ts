import type { Words } from '@faultline/core/sync';
import { type EventWriter, NO_ENTRY } from './event-writer.ts';
import {
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_STREAM_DISABLED,
  EVT_F_TRANSLATION,
  substreamBits,
  writeConfigurationEvent,
  writeTranslationFault,
} from './events.ts';
import { SMMU_STATS, STAT_BYPASSED, STAT_HELD_TAG, STAT_STALLS, STAT_TERMINATED } from './layout.ts';
import { NO_PORT, type PortSet } from './port-set.ts';
import type { PumpTick } from './pump-tick.ts';
import { STALL_ABORT, STALL_PAGE_HI, STALL_PAGE_LO, STALL_PERM, STALL_RETRY } from './stall-port.ts';
import type { StallTable } from './stall-table.ts';
import { ROUTE_ABORT, ROUTE_BYPASS, ROUTE_STALL, type StreamCache } from './stream-cache.ts';

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
    const count = Math.min(budget, this.#ports.waiting(port));
    const streamId = this.#ports.stream(port);
    const substreamId = this.#ports.substream(port);
    const route = this.#enabled ? this.#streams.route(streamId >>> 0, substreamId) : ROUTE_ABORT;
    if (route === ROUTE_STALL) return this.#stallPort(port, count, streamId, substreamId);
    if (route === ROUTE_BYPASS) return this.#bypassPort(port, count);
    if (route > 0) return this.#endWithEvent(port, count, route, streamId, substreamId);
    return this.#endWaiting(port, count);
  }

  #stallPort(port: number, count: number, streamId: number, substreamId: number): number {
    for (let done = 0; done < count; done++) {
      const entry = this.#claim();
      if (entry === NO_ENTRY) return done;
      const slotAt = this.#ports.take(port);
      this.#stall(entry, slotAt, port, streamId, substreamId);
    }
    return count;
  }

  /** @returns an event queue entry for a stall, or NO_ENTRY when it has to wait for a tag or an entry. */
  #claim(): number {
    if (this.#stalls.free === 0) return this.#holdForTag();
    const entry = this.#events.claim();
    return entry === NO_ENTRY ? this.#holdForEntry() : entry;
  }

  #stall(entry: number, slotAt: number, port: number, streamId: number, substreamId: number): void {
    const words = this.#words;
    const stag = this.#stalls.take(slotAt, port, streamId);
    const perm = words[slotAt + STALL_PERM];
    const pageLo = words[slotAt + STALL_PAGE_LO];
    writeTranslationFault(words, entry, streamId, substreamId, stag, perm, pageLo, words[slotAt + STALL_PAGE_HI]);
    words[this.#stats + STAT_STALLS]++;
  }

  #holdForTag(): number {
    this.#held = HELD_FOR_TAG;
    this.#words[this.#stats + STAT_HELD_TAG]++;
    return NO_ENTRY;
  }

  #holdForEntry(): number {
    if (!this.#events.hold()) {
      const entry = this.#events.claim(); // drained just now
      if (entry !== NO_ENTRY) return entry;
    }
    this.#held = HELD_FOR_ENTRY;
    return NO_ENTRY;
  }

  #bypassPort(port: number, count: number): number {
    for (let i = 0; i < count; i++) {
      this.#words[this.#stats + STAT_BYPASSED]++;
      this.#ports.finish(port, this.#ports.take(port), STALL_RETRY, this.#tick.now());
    }
    return count;
  }

  /** Ends accesses without a record. */
  #endWaiting(port: number, count: number): number {
    for (let i = 0; i < count; i++) {
      this.#words[this.#stats + STAT_TERMINATED]++;
      this.#ports.finish(port, this.#ports.take(port), STALL_ABORT, this.#tick.now());
    }
    return count;
  }

  /** Ends accesses with a record each, which is dropped when the queue is full: only stalls are worth waiting for. */
  #endWithEvent(port: number, count: number, id: number, streamId: number, substreamId: number): number {
    for (let i = 0; i < count; i++) {
      const slotAt = this.#ports.take(port);
      const entry = this.#events.claim();
      if (entry === NO_ENTRY) this.#events.drop();
      else this.#writeEvent(entry, id, slotAt, streamId, substreamId);
      this.#words[this.#stats + STAT_TERMINATED]++;
      this.#ports.finish(port, slotAt, STALL_ABORT, this.#tick.now());
    }
    return count;
  }

  #writeEvent(entry: number, id: number, slotAt: number, streamId: number, substreamId: number): void {
    const words = this.#words;
    if (id === EVT_F_TRANSLATION) {
      const perm = words[slotAt + STALL_PERM];
      const pageLo = words[slotAt + STALL_PAGE_LO];
      writeTranslationFault(words, entry, streamId, substreamId, -1, perm, pageLo, words[slotAt + STALL_PAGE_HI]);
    } else if (id === EVT_C_BAD_SUBSTREAMID) {
      writeConfigurationEvent(words, entry, id, streamId, substreamId << 12); // no SSV bit in this one
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
