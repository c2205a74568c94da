import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAG_RESPONSE_NEEDS_PASID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  type FaultReporter,
} from '@faultline/core/iopf';
import type { Clock, Words } from '@faultline/core/sync';
import { PRG_FAILURE } from '../pcie/pri-port.layout.ts';
import type { AmdOps } from './amd-ops.ts';
import { clearStatus, restartLog } from './control.ts';
import { eventName } from './event-log.ts';
import {
  AMD_DEVICES,
  AMD_DRIVER_TABLE,
  AMD_EVT_ENTRIES,
  AMD_EVTLOG,
  AMD_PPR_ENTRIES,
  AMD_PPR_FENCES,
  AMD_PPR_PASSED,
  AMD_PPRLOG,
  AMD_STATUS,
  checkAmd,
  DRIVER_DEVICE,
  DRIVER_MAX_PASIDS,
  DRIVER_WORDS,
} from './layout.ts';
import { LOG_EMPTY, LOG_LATE, LOG_MISSING, LOG_TAKEN, LogReader } from './log-reader.ts';
import { eventLogSpec, type LogSpec, pprLogSpec } from './log-specs.ts';
import {
  PPR_GN,
  PPR_LAST,
  PPR_PAGE_SERVICE_REQUEST,
  PPR_RESERVED,
  pprDevice,
  pprGroup,
  pprIsStopMarker,
  pprPasid,
  pprPerm,
} from './ppr-log.ts';
import { STATUS_PPR_EARLY, STATUS_W1C } from './registers.ts';

/** Entries taken before the batch ends. */
const BATCH = 64;

/** What became of a log entry, or of a log. */
export const AMD_PUMP_OUTCOMES = [
  'reported', // handed to the core, which answers the device
  'refused', // handed to the core, which refused it (and answered the device)
  'noPasid', // GN=0: answered Failure
  'malformed', // reserved bit set: answered Failure
  'badPasid', // PASID 0, or one that the device may not use: answered Failure
  'unknownDevice', // no driver: answered Failure
  'unknownEntry', // a type that the PPR log does not have: nothing to answer
  'stopMarkers', // nothing to answer
  'missing', // entries that the tail covered and that never came
  'events', // events taken from the event log
  'unknownEvents', // of a type that is unknown or left out
  'pprOverflows', // times the PPR log was restarted
  'eventOverflows', // times the event log was restarted
  'earlyWarnings', // times the PPR log's warning was seen
] as const;
export type AmdPumpOutcome = (typeof AMD_PUMP_OUTCOMES)[number];
const REPORTED = 0;
const REFUSED = 1;
const NO_PASID = 2;
const MALFORMED = 3;
const BAD_PASID = 4;
const UNKNOWN_DEVICE = 5;
const UNKNOWN_ENTRY = 6;
const STOP_MARKERS = 7;
const MISSING = 8;
const EVENTS = 9;
const UNKNOWN_EVENTS = 10;
const PPR_OVERFLOWS = 11;
const EVENT_OVERFLOWS = 12;
const EARLY_WARNINGS = 13;

export interface AmdEventPumpConfig {
  readonly reporter: FaultReporter;
  /** Answers entries that cannot be reported. This thread's own. */
  readonly ops: Pick<AmdOps, 'completePpr' | 'flushResponses' | 'kick'>;
  readonly clock: Clock;
  /** Called when the PPR log has lost requests, or hardware has answered some by itself, once all that it held is reported and before it
   * runs again: drop the partial groups of every device behind this IOMMU, as their last requests do not come. Linux does not. */
  readonly onLost?: () => void;
  /** Refuse as Linux does: entries that are not the last of their group are answered too, which PCIe does not ask for, and those of
   * devices without a driver are not answered at all. Default false. */
  readonly asLinux?: boolean;
  /** Told of every entry that is not a reported fault, for logs. The entry is valid during the call. */
  readonly onEvent?: (outcome: AmdPumpOutcome, entry: Int32Array) => void;
}

/** The driver's end of both logs. Make one, in the interrupt thread. Orderings are named in log-writer.ts.
 * @see Linux amd_iommu_handle_irq(), amd_iommu_poll_ppr_log(), iommu_call_iopf_notifier() */
export class AmdEventPump {
  readonly #words: Words;
  readonly #base: number;
  readonly #config: AmdEventPumpConfig;
  readonly #reporter: FaultReporter;
  readonly #ppr: LogReader;
  readonly #pprSpec: LogSpec;
  readonly #events: LogReader;
  readonly #eventSpec: LogSpec;
  readonly #devices: number;
  readonly #driverTable: number;
  readonly #asLinux: boolean;
  readonly #counts: Int32Array = new Int32Array(AMD_PUMP_OUTCOMES.length);
  #pprLost = false; // the PPR log overflowed or gave its warning: to be seen to once it is drained
  #pprStopped = false;
  #eventsStopped = false;
  #answered = false; // this batch answered something itself
  #passed: number; // PASSED, which no one else writes

  constructor(words: Words, base: number, config: AmdEventPumpConfig) {
    checkAmd(words, base, 'AmdEventPump');
    this.#words = words;
    this.#base = base;
    this.#config = config;
    this.#reporter = config.reporter;
    this.#asLinux = config.asLinux ?? false;
    this.#pprSpec = pprLogSpec(base);
    this.#eventSpec = eventLogSpec(base);
    const ring = (part: number): number => base + words[base + part];
    this.#ppr = new LogReader(words, this.#pprSpec, ring(AMD_PPRLOG), words[base + AMD_PPR_ENTRIES], config.clock);
    this.#events = new LogReader(words, this.#eventSpec, ring(AMD_EVTLOG), words[base + AMD_EVT_ENTRIES], config.clock);
    this.#devices = words[base + AMD_DEVICES];
    this.#driverTable = ring(AMD_DRIVER_TABLE);
    this.#passed = Atomics.load(words, base + AMD_PPR_PASSED);
  }

  /** Takes entries until both logs are really empty and STATUS is clear, or `budget` of them. Every request taken has been reported, or
   * answered, on return. @returns how many were taken. */
  pump(budget: number): number {
    let taken = 0;
    do {
      this.#acknowledge();
      taken += this.#drainPpr(budget - taken);
      taken += this.#drainEvents(budget - taken);
      // The bits are read again: clearing them may have crossed with their being set (ERBT1312).
    } while (taken < budget && this.#hasStatus());
    return taken;
  }

  /** Whether there is something to take, looking afresh: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    if (this.#pprLost || this.#eventsStopped) return true;
    return this.#hasStatus() || this.#ppr.hasEntries() || this.#events.hasEntries(); // [E]
  }

  /** How often each outcome occurred. */
  counts(): Record<AmdPumpOutcome, number> {
    const counts = {} as Record<AmdPumpOutcome, number>;
    AMD_PUMP_OUTCOMES.forEach((outcome, i) => {
      counts[outcome] = this.#counts[i];
    });
    return counts;
  }

  #hasStatus(): boolean {
    return (Atomics.load(this.#words, this.#base + AMD_STATUS) & STATUS_W1C) !== 0;
  }

  /** Clears what STATUS says, before the logs are looked at: what comes later sets it again. */
  #acknowledge(): void {
    const status = Atomics.load(this.#words, this.#base + AMD_STATUS) & STATUS_W1C;
    if (status === 0) return;
    clearStatus(this.#words, this.#base, status); // [E]
    if ((status & this.#pprSpec.overflow) !== 0) this.#pprLost = this.#pprStopped = true;
    if ((status & this.#eventSpec.overflow) !== 0) this.#eventsStopped = true;
    if ((status & STATUS_PPR_EARLY) === 0) return;
    this.#pprLost = true;
    this.#counts[EARLY_WARNINGS]++;
  }

  #drainPpr(budget: number): number {
    let taken = 0;
    let outcome = LOG_TAKEN;
    while (taken < budget) {
      outcome = this.#ppr.take();
      if (outcome === LOG_EMPTY || outcome === LOG_LATE) break;
      if (outcome === LOG_TAKEN) this.#take(this.#ppr.entry);
      else this.#note(MISSING, this.#ppr.entry);
      taken++;
      if (taken % BATCH === 0) this.#endBatch(BATCH);
    }
    if (taken % BATCH !== 0) this.#endBatch(taken % BATCH);
    if (outcome === LOG_EMPTY) this.#pprDrained();
    return taken;
  }

  /** The log is stopped and empty: what partial groups there are now will not be completed by what comes after. */
  #pprDrained(): void {
    if (!this.#pprLost) return;
    this.#pprLost = false;
    this.#config.onLost?.();
    if (!this.#pprStopped) return;
    this.#pprStopped = false;
    if (this.#restart(this.#pprSpec)) this.#counts[PPR_OVERFLOWS]++;
  }

  #drainEvents(budget: number): number {
    let taken = 0;
    let outcome = LOG_TAKEN;
    for (; taken < budget; taken++) {
      outcome = this.#events.take();
      if (outcome === LOG_EMPTY || outcome === LOG_LATE) break;
      const { entry } = this.#events;
      if (outcome === LOG_MISSING) this.#note(MISSING, entry);
      else this.#note(eventName(entry[1] >>> 28) === '' ? UNKNOWN_EVENTS : EVENTS, entry);
    }
    if (outcome === LOG_EMPTY && this.#eventsStopped) {
      this.#eventsStopped = false;
      if (this.#restart(this.#eventSpec)) this.#counts[EVENT_OVERFLOWS]++;
    }
    return taken;
  }

  #restart(spec: LogSpec): boolean {
    const { enable, interruptEnable, run, overflow } = spec;
    const restarted = restartLog(this.#words, this.#base, enable, interruptEnable, run, overflow);
    if (restarted) this.#config.ops.kick();
    return restarted;
  }

  #take(entry: Int32Array): void {
    const high = entry[1];
    const device = this.#device(pprDevice(entry, 0));
    if (high >>> 28 !== PPR_PAGE_SERVICE_REQUEST) this.#note(UNKNOWN_ENTRY, entry);
    else if (pprIsStopMarker(high)) this.#note(STOP_MARKERS, entry);
    else if (device === 0) this.#refuse(entry, UNKNOWN_DEVICE);
    else if ((high & PPR_GN) === 0) this.#refuse(entry, NO_PASID);
    else if ((high & PPR_RESERVED) !== 0) this.#refuse(entry, MALFORMED);
    else if (!this.#mayUse(pprDevice(entry, 0), pprPasid(entry, 0))) this.#refuse(entry, BAD_PASID);
    else this.#report(entry, device - 1);
  }

  /** Read plainly: the driver sets it before the device's first request (COMPLETION_WAIT, then the entry's TAIL order it), and clears it
   * only once the log is fenced. @returns device index + 1 of the device id's driver, or 0. */
  #device(deviceId: number): number {
    if (deviceId >= this.#devices) return 0;
    return this.#words[this.#driverTable + deviceId * DRIVER_WORDS + DRIVER_DEVICE];
  }

  #mayUse(deviceId: number, pasid: number): boolean {
    return pasid !== 0 && pasid < this.#words[this.#driverTable + deviceId * DRIVER_WORDS + DRIVER_MAX_PASIDS];
  }

  #report(entry: Int32Array, device: number): void {
    const words = this.#words;
    const record = this.#reporter.prepareFault();
    const last = (entry[1] & PPR_LAST) !== 0 ? FAULT_FLAG_LAST_PAGE : 0;
    words[record + FAULT_DEVICE] = device;
    words[record + FAULT_FLAGS] = last | FAULT_FLAG_PASID_VALID | FAULT_FLAG_RESPONSE_NEEDS_PASID;
    words[record + FAULT_PASID] = pprPasid(entry, 0);
    words[record + FAULT_GRPID] = pprGroup(entry, 0);
    words[record + FAULT_PERM] = pprPerm(entry[1]);
    words[record + FAULT_PAGE_LO] = (entry[2] >>> 12) | (entry[3] << 20);
    words[record + FAULT_PAGE_HI] = entry[3] >>> 12;
    words[record + FAULT_TOKEN] = pprDevice(entry, 0);
    if (this.#reporter.reportDeviceFault(record) === 0) this.#counts[REPORTED]++;
    else this.#note(REFUSED, entry);
  }

  /** An entry that nobody else will answer. */
  #refuse(entry: Int32Array, outcome: number): void {
    const due = this.#asLinux ? outcome !== UNKNOWN_DEVICE : (entry[1] & PPR_LAST) !== 0;
    if (due) {
      const pasid = (entry[1] & PPR_GN) !== 0 ? pprPasid(entry, 0) : -1;
      this.#config.ops.completePpr(pprDevice(entry, 0), pasid, pprGroup(entry, 0), PRG_FAILURE);
      this.#answered = true;
    }
    this.#note(outcome, entry);
  }

  #note(outcome: number, entry: Int32Array): void {
    this.#counts[outcome]++;
    this.#config.onEvent?.(AMD_PUMP_OUTCOMES[outcome], entry);
  }

  /** Says how far reports have come. [G] PASSED, then FENCES  pairs with  AmdDriver.fence: FENCES, then PASSED. */
  #endBatch(count: number): void {
    if (this.#answered) {
      this.#answered = false;
      this.#config.ops.flushResponses();
    }
    this.#reporter.endBatch();
    this.#passed = (this.#passed + count) | 0;
    Atomics.store(this.#words, this.#base + AMD_PPR_PASSED, this.#passed); // [G]
    if (Atomics.load(this.#words, this.#base + AMD_PPR_FENCES) !== 0)
      Atomics.notify(this.#words, this.#base + AMD_PPR_PASSED); // [G]
  }
}
