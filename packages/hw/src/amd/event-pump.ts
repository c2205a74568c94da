import type { FaultReporter } from '@faultline/core/iopf';
import type { Clock, Words } from '@faultline/core/sync';
import { publishPassed } from '../procedure/fence.ts';
import type { AmdOps } from './amd-ops.ts';
import { clearStatus, restartLog } from './control.ts';
import { eventName } from './event-log.ts';
import {
  AMD_EVT_ENTRIES,
  AMD_EVTLOG,
  AMD_PPR_ENTRIES,
  AMD_PPR_FENCES,
  AMD_PPR_PASSED,
  AMD_PPRLOG,
  AMD_STATUS,
  checkAmd,
} from './layout.ts';
import { LOG_EMPTY, LOG_LATE, LOG_MISSING, LOG_TAKEN, LogReader } from './log-reader.ts';
import { eventLogSpec, type LogSpec, pprLogSpec } from './log-specs.ts';
import {
  AMD_PUMP_OUTCOMES,
  type AmdPumpOutcome,
  EARLY_WARNINGS,
  EVENT_OVERFLOWS,
  EVENTS,
  MISSING,
  PPR_OVERFLOWS,
  REPORTED,
  UNKNOWN_EVENTS,
} from './pump-outcomes.ts';
import { STATUS_PPR_EARLY, STATUS_W1C } from './registers.ts';
import { RequestReporter } from './request-reporter.ts';

/** Entries taken before the batch ends. */
const BATCH = 64;

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
  readonly #requests: RequestReporter;
  readonly #ppr: LogReader;
  readonly #pprSpec: LogSpec;
  readonly #events: LogReader;
  readonly #eventSpec: LogSpec;
  readonly #counts: Int32Array = new Int32Array(AMD_PUMP_OUTCOMES.length);
  #pprLost = false; // the PPR log overflowed or gave its warning: to be seen to once it is drained
  #pprStopped = false;
  #eventsStopped = false;
  #passed: number; // PASSED, which no one else writes

  constructor(words: Words, base: number, config: AmdEventPumpConfig) {
    checkAmd(words, base, 'AmdEventPump');
    this.#words = words;
    this.#base = base;
    this.#config = config;
    this.#requests = new RequestReporter(words, base, config.reporter, config.ops, config.asLinux ?? false);
    this.#pprSpec = pprLogSpec(base);
    this.#eventSpec = eventLogSpec(base);
    const ring = (part: number): number => base + words[base + part];
    this.#ppr = new LogReader(words, this.#pprSpec, ring(AMD_PPRLOG), words[base + AMD_PPR_ENTRIES], config.clock);
    this.#events = new LogReader(words, this.#eventSpec, ring(AMD_EVTLOG), words[base + AMD_EVT_ENTRIES], config.clock);
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
      this.#note(outcome === LOG_TAKEN ? this.#requests.take(this.#ppr.entry) : MISSING, this.#ppr.entry);
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

  #note(outcome: number, entry: Int32Array): void {
    this.#counts[outcome]++;
    if (outcome !== REPORTED) this.#config.onEvent?.(AMD_PUMP_OUTCOMES[outcome], entry);
  }

  /** Says how far reports have come, to AmdDriver.fenceEventQueue. */
  #endBatch(count: number): void {
    this.#requests.endBatch();
    this.#passed = (this.#passed + count) | 0;
    publishPassed(this.#words, this.#base + AMD_PPR_PASSED, this.#base + AMD_PPR_FENCES, this.#passed);
  }
}
