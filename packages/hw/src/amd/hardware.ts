import { checkInteger } from '@faultline/core/errors';
import type { Clock, Doorbell, Words } from '@faultline/core/sync';
import { PriPortSet } from '../pcie/pri-port-set.ts';
import { PumpTick } from '../queue/pump-tick.ts';
import { CommandUnit } from './command-unit.ts';
import { DteCache } from './dte-cache.ts';
import { EventWriter } from './event-writer.ts';
import { IotlbTracker } from './iotlb-tracker.ts';
import { AMD_ANNOUNCE, AMD_CONTROL, AMD_CONTROL_SEEN, AMD_CONTROL_WRITES, AMD_PORTS, checkAmd } from './layout.ts';
import { eventLogSpec, pprLogSpec } from './log-specs.ts';
import { LogWriter } from './log-writer.ts';
import { CONTROL_IOMMU_EN } from './registers.ts';
import { RequestRecorder } from './request-recorder.ts';

export interface AmdHardwareConfig {
  /** Base of each PRI port, in order of its index. */
  readonly ports: readonly number[];
  /** Rung for interrupts, all kinds: the handler looks at STATUS. */
  readonly irq: Doorbell;
  readonly clock: Clock;
  /** Hardware with the erratum that Linux works around: the tail moves before the entry is in memory. Default false. */
  readonly lateEntries?: boolean;
}

/** An AMD IOMMU: page requests in from the PRI ports, log entries out, commands in, responses out. Make one, in the thread that plays the
 * hardware. Not modelled: a TLB (devices walk the tables themselves), a second log of either kind, guest virtual interrupts.
 * @see AMD 48882, chapter 2 */
export class AmdHardware {
  readonly #words: Words;
  readonly #base: number;
  readonly #pprLog: LogWriter;
  readonly #eventLog: LogWriter;
  readonly #ports: PriPortSet;
  readonly #devices: DteCache;
  readonly #recorder: RequestRecorder;
  readonly #commands: CommandUnit;
  readonly #tick: PumpTick;
  #writes = 0; // CONTROL_WRITES as in CONTROL_SEEN
  #on = false;

  /** @throws IommuError EINVAL when `base` holds no AMD IOMMU, or a port is not this one's. */
  constructor(words: Words, base: number, config: AmdHardwareConfig) {
    checkAmd(words, base, 'AmdHardware');
    checkInteger('AmdHardware', 'ports.length', config.ports.length, 0, words[base + AMD_PORTS]);
    this.#words = words;
    this.#base = base;
    this.#tick = new PumpTick(config.clock);
    this.#pprLog = new LogWriter(words, base, pprLogSpec(base), config.irq);
    this.#eventLog = new LogWriter(words, base, eventLogSpec(base), config.irq);
    this.#ports = new PriPortSet(words, base + words[base + AMD_ANNOUNCE], config.ports);
    this.#devices = new DteCache(words, base);
    const iotlb = new IotlbTracker(words, base, this.#ports);
    const events = new EventWriter(words, base, this.#eventLog);
    this.#recorder = new RequestRecorder(
      words,
      base,
      this.#pprLog,
      events,
      this.#ports,
      this.#devices,
      iotlb,
      this.#tick,
      config.lateEntries ?? false,
    );
    this.#commands = new CommandUnit(
      words,
      base,
      this.#ports,
      this.#devices,
      iotlb,
      events,
      this.#eventLog,
      this.#tick,
    );
  }

  /** Works for a while: up to `budget` commands, then up to `budget` requests. Never blocks, allocates nothing.
   * @returns commands and requests dealt with; 0 when there is nothing to do, or what there is has to wait. */
  pump(budget: number): number {
    this.#tick.restart();
    const writes = Atomics.load(this.#words, this.#base + AMD_CONTROL_WRITES);
    if (writes !== this.#writes) this.#applyControl(writes);
    const done = this.#commands.consume(budget) + this.#recorder.record(budget);
    this.#eventLog.publish();
    this.#ports.flush();
    return done;
  }

  /** Whether {@link pump} would get anywhere: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    return (
      this.#commands.canConsume() ||
      this.#recorder.canRecord() ||
      Atomics.load(this.#words, this.#base + AMD_CONTROL_WRITES) !== this.#writes
    );
  }

  /** Acts upon what software wrote, and says so: STATUS holds from then on. */
  #applyControl(writes: number): void {
    const words = this.#words;
    const control = Atomics.load(words, this.#base + AMD_CONTROL);
    const on = (control & CONTROL_IOMMU_EN) !== 0;
    if (on && !this.#on) this.#devices.reload(0, this.#devices.devices);
    this.#on = on;
    this.#recorder.control(control, Atomics.load(words, this.#base + AMD_CONTROL + 1));
    this.#pprLog.control(control);
    this.#eventLog.control(control);
    this.#commands.control(control);
    this.#writes = writes;
    Atomics.store(words, this.#base + AMD_CONTROL_SEEN, writes); // [S]
    Atomics.notify(words, this.#base + AMD_CONTROL_SEEN);
  }
}
