import { checkInteger } from '@faultline/core/errors';
import type { Clock, Doorbell, Words } from '@faultline/core/sync';
import { CommandUnit } from './command-unit.ts';
import { EventWriter } from './event-writer.ts';
import {
  checkSmmu,
  SMMU_ANNOUNCE,
  SMMU_CR0,
  SMMU_CR0ACK,
  SMMU_IDR5,
  SMMU_PORTS,
  SMMU_STATS,
  STAT_PEAK,
} from './layout.ts';
import { PortSet } from './port-set.ts';
import { PumpTick } from './pump-tick.ts';
import { CR0_CMDQEN, CR0_EVTQEN, CR0_SMMUEN, IDR5_STALL_MAX_SHIFT } from './registers.ts';
import { StallRecorder } from './stall-recorder.ts';
import { StallTable } from './stall-table.ts';
import { StreamCache } from './stream-cache.ts';

export interface SmmuHardwareConfig {
  /** Base of each stall port, in order of its index. */
  readonly ports: readonly number[];
  /** Rung when the event queue becomes non-empty. */
  readonly irq: Doorbell;
  readonly clock: Clock;
}

/** An SMMU: stalled accesses in from the ports, records out, commands in, results out. Make one, in the thread that plays the hardware.
 * Not modelled: a TLB (the device walks the address space itself, and a stall held back is recorded as posted even if its page was mapped
 * meanwhile: the handler finds it present), merging and suppression of duplicates, early retry.
 * @see IHI 0070, 3.12 and chapters 4 and 7 */
export class SmmuHardware {
  readonly #words: Words;
  readonly #base: number;
  readonly #events: EventWriter;
  readonly #stalls: StallTable;
  readonly #ports: PortSet;
  readonly #recorder: StallRecorder;
  readonly #commands: CommandUnit;
  readonly #tick: PumpTick;
  #control = 0; // CR0 as in CR0ACK

  /** @throws IommuError EINVAL when `base` holds no SMMU, or a port is not this SMMU's. */
  constructor(words: Words, base: number, config: SmmuHardwareConfig) {
    checkSmmu(words, base, 'SmmuHardware');
    checkInteger('SmmuHardware', 'ports.length', config.ports.length, 0, words[base + SMMU_PORTS]);
    this.#words = words;
    this.#base = base;
    this.#tick = new PumpTick(config.clock);
    this.#events = new EventWriter(words, base, config.irq);
    this.#stalls = new StallTable(words[base + SMMU_IDR5] >>> IDR5_STALL_MAX_SHIFT);
    this.#ports = new PortSet(words, base + words[base + SMMU_ANNOUNCE], config.ports);
    const streams = new StreamCache(words, base);
    this.#recorder = new StallRecorder(words, base, this.#events, this.#stalls, this.#ports, streams, this.#tick);
    this.#commands = new CommandUnit(words, base, this.#stalls, this.#ports, streams, this.#recorder, this.#tick);
  }

  /** Stalls recorded and not resumed. */
  get outstanding(): number {
    return this.#stalls.live;
  }

  /** Works for a while: up to `budget` commands, then up to `budget` accesses. Never blocks, allocates nothing.
   * @returns commands and accesses dealt with; 0 when there is nothing to do, or what there is has to wait. */
  pump(budget: number): number {
    this.#tick.restart();
    if (Atomics.load(this.#words, this.#base + SMMU_CR0) !== this.#control) this.#applyControl();
    const done = this.#commands.consume(budget) + this.#recorder.record(budget);
    this.#events.publish();
    if (this.#stalls.live > this.#words[this.#base + SMMU_STATS + STAT_PEAK])
      this.#words[this.#base + SMMU_STATS + STAT_PEAK] = this.#stalls.live;
    return done;
  }

  /** Whether {@link pump} would get anywhere: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    return (
      this.#commands.canConsume() ||
      this.#recorder.canRecord() ||
      Atomics.load(this.#words, this.#base + SMMU_CR0) !== this.#control
    );
  }

  /** Makes CR0 effective and says so in CR0ACK. */
  #applyControl(): void {
    const control = Atomics.load(this.#words, this.#base + SMMU_CR0);
    const off = this.#control & ~control;
    this.#recorder.enable((control & CR0_SMMUEN) !== 0);
    this.#commands.enable((control & CR0_CMDQEN) !== 0);
    this.#events.enable((control & CR0_EVTQEN) !== 0); // committed records are visible before EVTQEN reads back 0
    if ((off & CR0_SMMUEN) !== 0) this.#recorder.terminateAll();
    this.#control = control;
    Atomics.store(this.#words, this.#base + SMMU_CR0ACK, control); // pairs with SmmuDriver: CR0ACK, then what was switched
    Atomics.notify(this.#words, this.#base + SMMU_CR0ACK);
  }
}
