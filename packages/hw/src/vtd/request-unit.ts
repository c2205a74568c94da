import type { Words } from '@faultline/core/sync';
import {
  PRG_INVALID,
  PRG_SUCCESS,
  type PriPortSet,
  REQUEST_EXEC,
  REQUEST_FLAGS,
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
import { type EntryCache, TABLES_GOOD } from './entry-cache.ts';
import type { EventSignal } from './event-signal.ts';
import type { FaultRecorder } from './fault-recorder.ts';
import { VTD_PQA, VTD_PQH, VTD_PQT, VTD_PRS, VTD_STATS } from './layout.ts';
import { REQUEST_DESCRIPTOR_BYTES, writePageRequest } from './page-requests.ts';
import { PRS_PPR, PRS_PRO } from './registers.ts';
import {
  STAT_AUTO_INVALID,
  STAT_AUTO_SUCCESS,
  STAT_DROPPED,
  STAT_IMPLICIT,
  STAT_OVERFLOWS,
  STAT_PEAK,
  STAT_QUEUED,
  STAT_REQUESTS,
  STAT_TABLE_ERRORS,
} from './stats.ts';
import { wordOfAddress } from './tables.ts';
import { requestQueueBytes } from './unit.ts';

// The hardware's end of the page request queue. It never holds a request back: one that cannot be queued is answered here and now, if it ends
// its group, and forgotten if not.
//
// Ordering. Descriptors are plain; these edges publish them.
//   [P] publish: descriptors, then PQT        pairs with  [C] EventPump: PQT, then descriptors
//   [R] EventPump: descriptors, then PQH      pairs with  [F] accept: PQH, then descriptors overwritten
//   [E] publish: PQT, then PPR                pairs with  EventPump: PPR cleared, then PQT (event-signal.ts)
//   [O] EventPump: partial groups dropped, then PRO cleared  pairs with  accept: PRO seen clear, then a request queued

// The same places as FAULT_PERM_*.
const PERM = REQUEST_READ | REQUEST_WRITE | REQUEST_EXEC | REQUEST_PRIV;
const PLAIN_PERM = REQUEST_READ | REQUEST_WRITE;

export class RequestUnit {
  readonly #words: Words;
  readonly #base: number;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #tables: EntryCache;
  readonly #signal: EventSignal;
  readonly #faults: FaultRecorder;
  readonly #tick: PumpTick;
  readonly #mask: number; // of byte offsets
  #queue = 0; // word offset of the queue, 0: off
  #tail = 0; // PQT, descriptors not yet published included
  #published = 0;
  #headSeen = 0; // PQH when last read: read again only when the queue looks full
  #overflowed = false; // PRO as last seen: set here, cleared by software

  constructor(
    words: Words,
    base: number,
    ports: PriPortSet,
    tables: EntryCache,
    signal: EventSignal,
    faults: FaultRecorder,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + VTD_STATS;
    this.#ports = ports;
    this.#tables = tables;
    this.#signal = signal;
    this.#faults = faults;
    this.#tick = tick;
    this.#mask = requestQueueBytes(words, base) - REQUEST_DESCRIPTOR_BYTES;
  }

  /** Translation on: takes the queue where PQA puts it, from PQT on. Off, or PQA zero: every request is an error. */
  enable(on: boolean): void {
    if (!on) this.publish();
    const words = this.#words;
    this.#queue = on ? wordOfAddress(words[this.#base + VTD_PQA] & ~0xfff, words[this.#base + VTD_PQA + 1]) : 0;
    this.#tail = this.#published = Atomics.load(words, this.#base + VTD_PQT) & this.#mask;
    this.#headSeen = Atomics.load(words, this.#base + VTD_PQH) & this.#mask;
    this.#overflowed = (Atomics.load(words, this.#base + VTD_PRS) & PRS_PRO) !== 0;
  }

  /** Deals with one request of a port. @param at word offset of the port's record. */
  accept(at: number, port: number): void {
    const words = this.#words;
    words[this.#stats + STAT_REQUESTS]++;
    const flags = words[at + REQUEST_FLAGS];
    const hasPasid = (flags & REQUEST_PASID_VALID) !== 0;
    const pasid = hasPasid ? words[at + REQUEST_PASID] & 0xfffff : -1;
    const perm = flags & (hasPasid ? PERM : PLAIN_PERM); // without a PASID there is neither EXE nor PRIV
    const rid = this.#ports.rid(port);
    if (this.#queue === 0) {
      this.#answer(at, port, pasid, PRG_INVALID);
      return;
    }
    const reason = this.#tables.check(rid, pasid, (perm & REQUEST_EXEC) !== 0, (perm & REQUEST_PRIV) !== 0);
    if (reason !== TABLES_GOOD) {
      words[this.#stats + STAT_TABLE_ERRORS]++;
      if (this.#tables.recorded)
        this.#faults.record(reason, rid, pasid, perm, words[at + REQUEST_PAGE_LO], words[at + REQUEST_PAGE_HI]);
      this.#answer(at, port, pasid, PRG_INVALID);
      return;
    }
    if (this.#isOverflowed() || !this.#hasSpace()) {
      this.#answer(at, port, pasid, PRG_SUCCESS);
      return;
    }
    words[this.#stats + STAT_IMPLICIT]++; // the device walks the address space itself: there is no IOTLB to empty
    words[this.#stats + STAT_QUEUED]++;
    writePageRequest(
      words,
      this.#queue + (this.#tail >>> 2),
      rid,
      pasid,
      perm,
      (flags & REQUEST_LAST) !== 0,
      words[at + REQUEST_PRGI] & 0x1ff,
      words[at + REQUEST_PAGE_LO],
      words[at + REQUEST_PAGE_HI] & 0xfffff,
    );
    this.#tail = (this.#tail + REQUEST_DESCRIPTOR_BYTES) & this.#mask;
  }

  /** One store for all that was queued, then the event. Before a wait with PD completes, and at the end of every pump. */
  publish(): void {
    if (this.#tail === this.#published) return;
    this.#published = this.#tail;
    Atomics.store(this.#words, this.#base + VTD_PQT, this.#tail); // [P]
    const used = ((this.#tail - this.#headSeen) & this.#mask) / REQUEST_DESCRIPTOR_BYTES;
    if (used > this.#words[this.#stats + STAT_PEAK]) this.#words[this.#stats + STAT_PEAK] = used;
    this.#signal.pageRequest(PRS_PPR); // [E]
  }

  /** Nobody reports it: answered if it ends its group and is no stop marker, which never is. */
  #answer(at: number, port: number, pasid: number, code: number): void {
    const words = this.#words;
    const flags = words[at + REQUEST_FLAGS];
    const stopMarker = (flags & (REQUEST_READ | REQUEST_WRITE)) === 0 && pasid >= 0;
    if ((flags & REQUEST_LAST) === 0 || stopMarker) {
      words[this.#stats + STAT_DROPPED]++;
      return;
    }
    words[this.#stats + (code === PRG_SUCCESS ? STAT_AUTO_SUCCESS : STAT_AUTO_INVALID)]++;
    this.#ports.respondTo(port, words[at + REQUEST_PRGI], code, pasid, this.#tick.now());
  }

  /** PRO, read again only while it was seen set. */
  #isOverflowed(): boolean {
    if (!this.#overflowed) return false;
    this.#overflowed = (Atomics.load(this.#words, this.#base + VTD_PRS) & PRS_PRO) !== 0; // [O]
    return this.#overflowed;
  }

  /** One descriptor always stays empty. Without room, PRO is set. */
  #hasSpace(): boolean {
    const next = (this.#tail + REQUEST_DESCRIPTOR_BYTES) & this.#mask;
    if (next !== this.#headSeen) return true;
    this.#headSeen = Atomics.load(this.#words, this.#base + VTD_PQH) & this.#mask; // [F]
    if (next !== this.#headSeen) return true;
    this.publish(); // the full queue is visible before the overflow is
    this.#overflowed = true;
    this.#words[this.#stats + STAT_OVERFLOWS]++;
    this.#signal.pageRequest(PRS_PRO);
    return false;
  }
}
