import type { Words } from '@faultline/core/sync';
import {
  PRG_FAILURE,
  PRG_INVALID,
  REQUEST_FLAGS,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_PASID_VALID,
  REQUEST_PRGI,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/pri-port.layout.ts';
import { NO_RECORD, type PriServant } from '../pcie/pri-port.ts';
import type { PriPortSet } from '../pcie/pri-port-set.ts';
import { NO_PORT } from '../queue/announce.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import type { DteCache } from './dte-cache.ts';
import type { EventWriter } from './event-writer.ts';
import type { IotlbTracker } from './iotlb-tracker.ts';
import { AMD_PPR_AUTO_RESPONSE, AMD_PPR_EARLY, AMD_STATS } from './layout.ts';
import type { LogWriter } from './log-writer.ts';
import { PPR_ENTRY_WORDS, writePprEntry } from './ppr-log.ts';
import {
  AUTO_RESPONSE_CODE_MASK,
  AUTO_RESPONSE_MASK_GN,
  CONTROL_HI_BLK_STOP_MRK_EN,
  CONTROL_HI_PPR_AUTO_RSP_AON,
  CONTROL_HI_PPR_AUTO_RSP_EN,
  CONTROL_IOMMU_EN,
  CONTROL_PPR_EN,
  EARLY_EN,
  EARLY_THRESHOLD_MASK,
  STATUS_PPR_EARLY,
} from './registers.ts';
import {
  STAT_AUTO_ANSWERED,
  STAT_DISCARDED,
  STAT_EARLY_WARNINGS,
  STAT_LOGGED,
  STAT_PPR_OVERFLOWS,
  STAT_REJECTED,
  STAT_REQUESTS,
  STAT_STOP_MARKERS,
  STAT_STRAYS,
  STAT_UNDELIVERED,
} from './stats.ts';

// Turns page requests into PPR log entries, or into what the hardware answers by itself:
//
//   when                                             last request              any other
//   IOMMU off, or PPR processing off                 Response Failure          dropped
//   device table entry refuses                       Invalid Request + event   event
//   automatic responses always on                    the automatic response    dropped
//   log past its threshold, automatic responses on   the automatic response    dropped
//   log full (overflow), stopped or off              the automatic response,   dropped
//                                                    or nothing if that is off
//
// A stop marker is dropped in every row, and never answered. That automatic responses come when the log is full, and from the threshold on
// where the warning is enabled, is what AMD's register descriptions say of PPR_AUTORESP_SUP; the code is what PPR_AUTO_RESPONSE holds, Success
// unless software changed it. Not verified: the codes of the first two rows (no public driver or model was found that depends on them; the
// RISC-V IOMMU and the SMMU answer the first, VT-d the second in the same way).

const STOP_MARKER_BITS = REQUEST_LAST | REQUEST_PASID_VALID | REQUEST_READ | REQUEST_WRITE;
const STOP_MARKER = REQUEST_LAST | REQUEST_PASID_VALID;
/** Records a port may hand over before the next one has its turn. */
const TURN = 16;

export class RequestRecorder {
  readonly #words: Words;
  readonly #base: number;
  readonly #stats: number;
  readonly #log: LogWriter;
  readonly #events: EventWriter;
  readonly #ports: PriPortSet;
  readonly #devices: DteCache;
  readonly #iotlb: IotlbTracker;
  readonly #tick: PumpTick;
  readonly #late: Int32Array | undefined; // an entry that TAIL covers and memory does not have yet
  #lateAt = 0; // where it belongs
  #enabled = false;
  #autoRespond = false;
  #alwaysRespond = false;
  #blockMarkers = false;
  #threshold = 0; // 0: no early warning

  /** @param late the tail moves before the entry is there, as on hardware with that erratum: one request a pump. */
  constructor(
    words: Words,
    base: number,
    log: LogWriter,
    events: EventWriter,
    ports: PriPortSet,
    devices: DteCache,
    iotlb: IotlbTracker,
    tick: PumpTick,
    late: boolean,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + AMD_STATS;
    this.#log = log;
    this.#events = events;
    this.#ports = ports;
    this.#devices = devices;
    this.#iotlb = iotlb;
    this.#tick = tick;
    this.#late = late ? new Int32Array(PPR_ENTRY_WORDS) : undefined;
  }

  control(control: number, high: number): void {
    const early = Atomics.load(this.#words, this.#base + AMD_PPR_EARLY);
    this.#enabled = (control & CONTROL_IOMMU_EN) !== 0 && (control & CONTROL_PPR_EN) !== 0;
    this.#autoRespond = (high & CONTROL_HI_PPR_AUTO_RSP_EN) !== 0;
    this.#alwaysRespond = this.#autoRespond && (high & CONTROL_HI_PPR_AUTO_RSP_AON) !== 0;
    this.#blockMarkers = (high & CONTROL_HI_BLK_STOP_MRK_EN) !== 0;
    this.#threshold = (early & EARLY_EN) !== 0 ? early & EARLY_THRESHOLD_MASK : 0;
  }

  /** Deals with up to `budget` records, ports in turn. None has to wait. @returns how many were dealt with. */
  record(budget: number): number {
    this.#arrive();
    this.#ports.collect();
    const most = this.#late === undefined ? budget : Math.min(budget, 1);
    let done = 0;
    while (done < most) {
      const port = this.#ports.head();
      if (port === NO_PORT) break;
      done += this.#recordPort(port, this.#ports.servant(port), Math.min(TURN, most - done));
      this.#ports.rotate();
    }
    this.#log.publish();
    return done;
  }

  /** Whether {@link record} would get anywhere, looking afresh. */
  canRecord(): boolean {
    return this.#lateAt !== 0 || this.#ports.head() !== NO_PORT || this.#ports.announced();
  }

  /** Writes what the tail has covered since the pump before. */
  #arrive(): void {
    if (this.#late === undefined || this.#lateAt === 0) return;
    for (let i = 2; i < PPR_ENTRY_WORDS; i++) this.#words[this.#lateAt + i] = this.#late[i];
    this.#words[this.#lateAt] = this.#late[0];
    Atomics.store(this.#words, this.#lateAt + 1, this.#late[1]); // pairs with LogReader: the type, then the rest
    this.#lateAt = 0;
  }

  #recordPort(port: number, servant: PriServant, count: number): number {
    let done = 0;
    for (; done < count; done++) {
      const at = servant.peek();
      if (at === NO_RECORD) break;
      servant.next();
      if ((this.#words[at + REQUEST_FLAGS] & REQUEST_INVALIDATED) !== 0) this.#completed(port, at);
      else this.#take(port, at);
    }
    return done;
  }

  #completed(port: number, at: number): void {
    // The requests before it are published when this pump ends, and a wait for it is looked at in the next.
    if (!this.#iotlb.complete(port, this.#words[at + REQUEST_PRGI])) this.#words[this.#stats + STAT_STRAYS]++;
  }

  #take(port: number, at: number): void {
    const words = this.#words;
    const flags = words[at + REQUEST_FLAGS];
    const marker = (flags & STOP_MARKER_BITS) === STOP_MARKER;
    words[this.#stats + STAT_REQUESTS]++;
    if (!this.#enabled) this.#refuse(port, at, flags, marker, PRG_FAILURE);
    else if (!this.#devices.letsThrough(this.#ports.rid(port), (flags & REQUEST_PASID_VALID) !== 0))
      this.#refuseWithEvent(port, at, flags, marker);
    else if (marker && this.#blockMarkers) words[this.#stats + STAT_STOP_MARKERS]++;
    else if (this.#alwaysRespond || this.#pastThreshold()) this.#withoutLog(port, at, flags, marker);
    else if (this.#log.reserve()) this.#logRequest(port, at, flags);
    else {
      if (this.#log.running) {
        words[this.#stats + STAT_PPR_OVERFLOWS]++;
        this.#log.overflow();
      }
      this.#withoutLog(port, at, flags, marker);
    }
  }

  #logRequest(port: number, at: number, flags: number): void {
    const words = this.#words;
    const entry = this.#log.claim();
    const rid = this.#ports.rid(port);
    const pasid = words[at + REQUEST_PASID];
    const prgi = words[at + REQUEST_PRGI];
    words[this.#stats + STAT_LOGGED]++;
    if (this.#late === undefined)
      writePprEntry(words, entry, rid, pasid, prgi, flags, words[at + REQUEST_PAGE_LO], words[at + REQUEST_PAGE_HI]);
    else {
      const pageLo = words[at + REQUEST_PAGE_LO];
      writePprEntry(this.#late, 0, rid, pasid, prgi, flags, pageLo, words[at + REQUEST_PAGE_HI]);
      this.#lateAt = entry;
    }
    if (this.#threshold !== 0 && this.#log.used() >= this.#threshold) this.#warn();
  }

  #warn(): void {
    if (this.#log.set(STATUS_PPR_EARLY)) this.#words[this.#stats + STAT_EARLY_WARNINGS]++;
  }

  #pastThreshold(): boolean {
    return this.#autoRespond && this.#threshold !== 0 && this.#log.running && this.#log.used() >= this.#threshold;
  }

  #withoutLog(port: number, at: number, flags: number, marker: boolean): void {
    if (!this.#autoRespond || marker || (flags & REQUEST_LAST) === 0) {
      this.#words[this.#stats + STAT_DISCARDED]++;
      return;
    }
    const response = Atomics.load(this.#words, this.#base + AMD_PPR_AUTO_RESPONSE);
    const masked = (response & AUTO_RESPONSE_MASK_GN) !== 0;
    this.#words[this.#stats + STAT_AUTO_ANSWERED]++;
    this.#answer(port, at, masked ? 0 : flags, response & AUTO_RESPONSE_CODE_MASK);
  }

  #refuseWithEvent(port: number, at: number, flags: number, marker: boolean): void {
    const words = this.#words;
    const pageLo = words[at + REQUEST_PAGE_LO];
    const pageHi = words[at + REQUEST_PAGE_HI];
    const rid = this.#ports.rid(port);
    this.#events.invalidPprRequest(rid, words[at + REQUEST_PASID], words[at + REQUEST_PRGI], flags, pageLo, pageHi);
    this.#refuse(port, at, flags, marker, PRG_INVALID);
  }

  #refuse(port: number, at: number, flags: number, marker: boolean, code: number): void {
    this.#words[this.#stats + (marker ? STAT_STOP_MARKERS : STAT_REJECTED)]++;
    if (!marker && (flags & REQUEST_LAST) !== 0) this.#answer(port, at, flags, code);
  }

  #answer(port: number, at: number, flags: number, code: number): void {
    const pasid = (flags & REQUEST_PASID_VALID) !== 0 ? this.#words[at + REQUEST_PASID] : -1;
    if (!this.#ports.respondTo(port, this.#words[at + REQUEST_PRGI], code, pasid, this.#tick.now()))
      this.#words[this.#stats + STAT_UNDELIVERED]++;
  }
}
