import { checkInteger, IommuError } from '@faultline/core/errors';
import { type Clock, type Doorbell, TICKS_PER_MS, type Words } from '@faultline/core/sync';
import { PriPortSet } from '../pcie/index.ts';
import { PumpTick } from '../queue/pump-tick.ts';
import { AtcUnit } from './atc-unit.ts';
import { AtsUnit } from './ats-unit.ts';
import { CommandUnit, type TlbListener } from './command-unit.ts';
import { EventWriter } from './event-writer.ts';
import { GlobalErrors } from './global-errors.ts';
import {
  checkSmmu,
  SMMU_ANNOUNCE,
  SMMU_CMDQ_COUNT,
  SMMU_CR0,
  SMMU_CR0ACK,
  SMMU_IDR5,
  SMMU_PORTS,
  SMMU_PRI_ANNOUNCE,
  SMMU_PRI_PORTS,
  SMMU_STATS,
  STAT_PEAK,
} from './layout.ts';
import { PortSet } from './port-set.ts';
import { type PriqAbort, PriUnit } from './pri-unit.ts';
import { PriqWriter } from './priq-writer.ts';
import { CR0_CMDQEN, CR0_EVTQEN, CR0_PRIQEN, CR0_SMMUEN, IDR5_STALL_MAX_SHIFT } from './registers.ts';
import { StallRecorder } from './stall-recorder.ts';
import { StallTable } from './stall-table.ts';
import { StreamCache } from './stream-cache.ts';
import { StageWalker, type TranslationMemory, TranslationUnit } from './translation-unit.ts';
import { VirtualCommandTarget } from './vcmdq-target.ts';
import type { VirtualArea } from './virtual/layout.ts';
import { VcmdqHardware } from './virtual/vcmdq-hardware.ts';

/** An endpoint's time for an ATC invalidation, unless told otherwise: shorter than a driver's patience with a CMD_SYNC. PCIe allows it
 * a minute. */
const ATC_TIMEOUT_TICKS: number = 1000 * TICKS_PER_MS;

export interface SmmuHardwareConfig {
  /** Base of each stall port, in order of its index. */
  readonly ports: readonly number[];
  /** Base of each PRI port, in order of its index. Their requester ids are StreamIDs. Default: none. */
  readonly priPorts?: readonly number[];
  /** Rung when the event queue becomes non-empty. */
  readonly irq: Doorbell;
  /** Rung for the PRI queue. Default: `irq`. */
  readonly priIrq?: Doorbell;
  /** Rung when a GERROR bit becomes active. Default: nobody's, drivers look at GERROR themselves. */
  readonly errorIrq?: Doorbell;
  /** Ticks an endpoint has to complete an ATC invalidation. Default: a second. */
  readonly atcTimeoutTicks?: number;
  readonly clock: Clock;
  /** Who keeps translations and wants to be told of invalidations. Default: nobody. */
  readonly tlb?: TlbListener;
  /** Page tables, and what they lead to. With it {@link SmmuHardware.translation} walks, and what guests own is read where stage 2 has it:
   * context descriptors, and command queues at their physical addresses. */
  readonly memory?: TranslationMemory;
  /** Whose virtual command queues are consumed as well; whoever writes their PROD rings the hardware. Default: there are none. */
  readonly virtual?: VirtualArea;
}

/** An SMMU: stalled accesses and page requests in from the ports, records out, commands in, results out. Make one, in the thread that
 * plays the hardware.
 * Not modelled: without `memory`, a walker and its TLB (the device walks the address space itself; who keeps translations is told of
 * invalidations); a stall held back is recorded as posted even if its page was mapped meanwhile: the handler finds it present; merging and suppression of duplicates, early retry.
 * @see IHI 0070, 3.12 and chapters 4, 7 and 8 */
export class SmmuHardware {
  readonly #words: Words;
  readonly #base: number;
  readonly #events: EventWriter;
  readonly #stalls: StallTable;
  readonly #ports: PortSet;
  readonly #recorder: StallRecorder;
  readonly #pri: PriUnit;
  readonly #commands: CommandUnit;
  readonly #virtual: VcmdqHardware | undefined;
  readonly #tick: PumpTick;
  #control = 0; // CR0 as in CR0ACK
  /** What endpoints ask of ATS. */
  readonly ats: AtsUnit;
  /** Translates, where there is memory to walk. */
  readonly translation: TranslationUnit | undefined;

  /** @throws IommuError EINVAL when `base` holds no SMMU, or a port is not this SMMU's. */
  constructor(words: Words, base: number, config: SmmuHardwareConfig) {
    checkSmmu(words, base, 'SmmuHardware');
    checkInteger('SmmuHardware', 'ports.length', config.ports.length, 0, words[base + SMMU_PORTS]);
    this.#words = words;
    this.#base = base;
    const priPorts = config.priPorts ?? [];
    checkInteger('SmmuHardware', 'priPorts.length', priPorts.length, 0, words[base + SMMU_PRI_PORTS]);
    const timeout = config.atcTimeoutTicks ?? ATC_TIMEOUT_TICKS;
    checkInteger('SmmuHardware', 'atcTimeoutTicks', timeout, 1, 2 ** 31 - 1);
    const errors = new GlobalErrors(words, base, config.errorIrq);
    this.#tick = new PumpTick(config.clock);
    this.#events = new EventWriter(words, base, config.irq, errors);
    this.#stalls = new StallTable(words[base + SMMU_IDR5] >>> IDR5_STALL_MAX_SHIFT);
    this.#ports = new PortSet(words, base + words[base + SMMU_ANNOUNCE], config.ports);
    const walker = config.memory === undefined ? undefined : new StageWalker(config.memory);
    const streams = new StreamCache(words, base, walker);
    this.translation = walker === undefined ? undefined : new TranslationUnit(walker, streams);
    this.#recorder = new StallRecorder(words, base, this.#events, this.#stalls, this.#ports, streams, this.#tick);
    const endpoints = new PriPortSet(words, base + words[base + SMMU_PRI_ANNOUNCE], priPorts);
    const queues = words[base + SMMU_CMDQ_COUNT];
    const virtualQueues = virtualQueuesOf(words, config.virtual);
    const atc = new AtcUnit(words, base, endpoints, queues, virtualQueues, this.#tick, timeout);
    const priq = new PriqWriter(words, base, config.priIrq ?? config.irq);
    this.#pri = new PriUnit(words, base, this.#events, priq, endpoints, streams, atc, errors, this.#tick);
    this.#commands = new CommandUnit(
      words,
      base,
      this.#stalls,
      this.#ports,
      streams,
      this.#recorder,
      this.#pri,
      atc,
      errors,
      this.#tick,
      listenersOf(this.translation, config.tlb),
    );
    if (config.virtual !== undefined) {
      const target = new VirtualCommandTarget(this.#commands, atc, queues, config.virtual.queues);
      this.#virtual = new VcmdqHardware(config.virtual, target, ramOf(config.memory));
    }
    this.ats = new AtsUnit(words, base, this.#events, streams);
  }

  /** Stalls recorded and not resumed. */
  get outstanding(): number {
    return this.#stalls.live;
  }

  /** Works for a while: up to `budget` commands, as many of guests, then up to `budget` accesses and as many messages of endpoints. Never blocks, allocates
   * nothing. @returns what was dealt with; 0 when there is nothing to do, or what there is has to wait. */
  pump(budget: number): number {
    this.#tick.restart();
    if (Atomics.load(this.#words, this.#base + SMMU_CR0) !== this.#control) this.#applyControl();
    const commands = this.#commands.consume(budget) + (this.#virtual?.pump(budget) ?? 0);
    const done = commands + this.#recorder.record(budget) + this.#pri.take(budget);
    this.#events.publish();
    this.#pri.publish();
    if (this.#stalls.live > this.#words[this.#base + SMMU_STATS + STAT_PEAK])
      this.#words[this.#base + SMMU_STATS + STAT_PEAK] = this.#stalls.live;
    return done;
  }

  /** Whether {@link pump} would get anywhere: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    return (
      this.#commands.canConsume() ||
      this.#virtual?.needsWork() === true ||
      this.#recorder.canRecord() ||
      this.#pri.canTake() ||
      Atomics.load(this.#words, this.#base + SMMU_CR0) !== this.#control
    );
  }

  /** Fault injection: the next command of the queue cannot be read (CERROR_ABT). */
  injectCommandAbort(queue: number): void {
    this.#commands.injectAbort(queue);
  }

  /** Fault injection: the next records cannot be written and are lost, stalls as well (EVENTQ_ABT_ERR). */
  injectEventAbort(): void {
    this.#events.injectAbort();
  }

  /** Fault injection: the next page request cannot be written (PRIQ_ABT_ERR). */
  injectPriAbort(kind: PriqAbort): void {
    this.#pri.injectAbort(kind);
  }

  /** Makes CR0 effective and says so in CR0ACK. */
  #applyControl(): void {
    const control = Atomics.load(this.#words, this.#base + SMMU_CR0);
    const off = this.#control & ~control;
    this.#recorder.enable((control & CR0_SMMUEN) !== 0);
    this.#commands.enable((control & CR0_SMMUEN) !== 0, (control & CR0_CMDQEN) !== 0);
    this.#pri.enable((control & CR0_SMMUEN) !== 0, (control & CR0_PRIQEN) !== 0);
    this.ats.enable(control);
    this.translation?.enable(control);
    this.#events.enable((control & CR0_EVTQEN) !== 0); // committed records are visible before EVTQEN reads back 0
    if ((off & CR0_SMMUEN) !== 0) this.#recorder.terminateAll();
    this.#control = control;
    Atomics.store(this.#words, this.#base + SMMU_CR0ACK, control); // pairs with SmmuDriver: CR0ACK, then what was switched
    Atomics.notify(this.#words, this.#base + SMMU_CR0ACK);
  }
}

function listenersOf(own: TranslationUnit | undefined, other: TlbListener | undefined): TlbListener | undefined {
  if (own === undefined || other === undefined) return own ?? other;
  return {
    invalidate(record, at) {
      own.invalidate(record, at);
      other.invalidate(record, at);
    },
  };
}

function ramOf(memory: TranslationMemory | undefined): Words | undefined {
  if (memory === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = memory.ram;
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

function virtualQueuesOf(words: Words, virtual: VirtualArea | undefined): number {
  if (virtual === undefined) return 0;
  if (virtual.words.buffer !== words.buffer)
    throw new IommuError('EINVAL', 'SmmuHardware', 'virtual', 'elsewhere', 'must be in the memory of its SMMU');
  return virtual.vsmmus * virtual.queues;
}
