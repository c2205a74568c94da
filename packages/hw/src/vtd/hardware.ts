import { checkInteger } from '@faultline/core/errors';
import { type Clock, type Doorbell, TICKS_PER_MS, type Words } from '@faultline/core/sync';
import { NO_PORT, NO_RECORD, PriPortSet, REQUEST_FLAGS, REQUEST_INVALIDATED, REQUEST_PRGI } from '../pcie/index.ts';
import { PumpTick } from '../queue/pump-tick.ts';
import { DeviceTlbs } from './device-tlbs.ts';
import { EntryCache } from './entry-cache.ts';
import { EventSignal } from './event-signal.ts';
import { FaultRecorder } from './fault-recorder.ts';
import { InvalidationUnit } from './invalidation-unit.ts';
import { IotlbControl } from './iotlb.ts';
import { VTD_ANNOUNCE, VTD_FECTL, VTD_GCMD, VTD_GSTS, VTD_PECTL, VTD_PORTS } from './layout.ts';
import { GCMD_QIE, GCMD_TE, PECTL_IM, PECTL_IP } from './registers.ts';
import { RequestUnit } from './request-unit.ts';
import { checkVtd } from './unit.ts';
import { Waits } from './waits.ts';

// A port may have this many records taken before the next one has its turn, so that a busy port starves nobody.
const TURN = 16;

export interface VtdHardwareConfig {
  /** Base of each PRI port, in order of its index. */
  readonly ports: readonly number[];
  /** Rung for page request, fault and invalidation events. */
  readonly irq: Doorbell;
  readonly clock: Clock;
  /** How long a device may take to complete an invalidation. Default 1000 ms, in ticks. */
  readonly invalidationTimeoutTicks?: number;
}

/** A VT-d unit in scalable mode: page requests in from the PRI ports, descriptors out, invalidations and responses in and to the devices.
 * Make one, in the thread that plays the hardware. Devices' accesses are translated where devices run, by Remapper. Not modelled: interrupt
 * remapping, the register-based interfaces, and the interrupt's address and data registers.
 * @see VT-d 5.10, chapters 6, 7 and 11 */
export class VtdHardware {
  readonly #words: Words;
  readonly #base: number;
  readonly #tick: PumpTick;
  readonly #ports: PriPortSet;
  readonly #tables: EntryCache;
  readonly #iotlb: IotlbControl;
  readonly #signal: EventSignal;
  readonly #requests: RequestUnit;
  readonly #waits: Waits;
  readonly #queue: InvalidationUnit;
  #control = 0; // GCMD as in GSTS

  /** @throws IommuError EINVAL when `base` holds no unit, or a port is not this unit's. */
  constructor(words: Words, base: number, config: VtdHardwareConfig) {
    checkVtd(words, base, 'VtdHardware');
    checkInteger('VtdHardware', 'ports.length', config.ports.length, 0, words[base + VTD_PORTS]);
    const timeout = config.invalidationTimeoutTicks ?? 1000 * TICKS_PER_MS;
    checkInteger('VtdHardware', 'invalidationTimeoutTicks', timeout, 1, 2 ** 40);
    const tick = new PumpTick(config.clock);
    this.#words = words;
    this.#base = base;
    this.#tick = tick;
    this.#ports = new PriPortSet(words, base + words[base + VTD_ANNOUNCE], config.ports);
    this.#tables = new EntryCache(words, base);
    this.#iotlb = new IotlbControl(words, base);
    this.#signal = new EventSignal(words, base, config.irq);
    const faults = new FaultRecorder(words, base, this.#signal);
    this.#requests = new RequestUnit(words, base, this.#ports, this.#tables, this.#signal, faults, tick);
    const devices = new DeviceTlbs(words, this.#ports, tick, timeout);
    this.#waits = new Waits(words, base, this.#ports, this.#requests, devices, this.#signal);
    this.#queue = new InvalidationUnit(
      words,
      base,
      this.#ports,
      this.#tables,
      this.#iotlb,
      devices,
      this.#waits,
      this.#signal,
      tick,
    );
  }

  /** Wait descriptors taken and not over. */
  get pendingWaits(): number {
    return this.#waits.count;
  }

  /** Works for a while: up to `budget` records of the ports, then up to `budget` descriptors. Never blocks, allocates nothing.
   * @returns records and descriptors dealt with; 0 when there is nothing to do, or what there is has to wait. */
  pump(budget: number): number {
    this.#tick.restart();
    if (Atomics.load(this.#words, this.#base + VTD_GCMD) !== this.#control) this.#applyControl();
    if (this.#eventsPending()) this.#signal.unmasked();
    const done = this.#takeRecords(budget) + this.#queue.consume(budget);
    this.#requests.publish();
    this.#ports.flush();
    return done;
  }

  /** Whether {@link pump} would get anywhere: a host looks here after it has announced its sleep. */
  needsWork(): boolean {
    this.#tick.restart();
    return (
      this.#ports.announced() ||
      this.#ports.head() !== NO_PORT ||
      this.#queue.canConsume() ||
      this.#eventsPending() ||
      Atomics.load(this.#words, this.#base + VTD_GCMD) !== this.#control
    );
  }

  /** Page requests and completions, in the order of each port, ports in turn. */
  #takeRecords(budget: number): number {
    const ports = this.#ports;
    ports.collect();
    let done = 0;
    while (done < budget) {
      const port = ports.head();
      if (port === NO_PORT) break;
      done += this.#takeTurn(port, Math.min(TURN, budget - done));
      ports.rotate();
    }
    return done;
  }

  #takeTurn(port: number, budget: number): number {
    const words = this.#words;
    const servant = this.#ports.servant(port);
    let done = 0;
    for (; done < budget; done++) {
      const at = servant.peek();
      if (at === NO_RECORD) break;
      if ((words[at + REQUEST_FLAGS] & REQUEST_INVALIDATED) !== 0)
        this.#queue.completed(port, words[at + REQUEST_PRGI]);
      else this.#requests.accept(at, port);
      servant.next();
    }
    return done;
  }

  #eventsPending(): boolean {
    const both = PECTL_IP | PECTL_IM;
    return (
      (Atomics.load(this.#words, this.#base + VTD_PECTL) & both) === PECTL_IP ||
      (Atomics.load(this.#words, this.#base + VTD_FECTL) & both) === PECTL_IP
    );
  }

  /** Makes GCMD effective and says so in GSTS. */
  #applyControl(): void {
    const control = Atomics.load(this.#words, this.#base + VTD_GCMD);
    const changed = this.#control ^ control;
    if ((changed & GCMD_TE) !== 0) {
      this.#tables.clear();
      this.#iotlb.clear();
      this.#requests.enable((control & GCMD_TE) !== 0);
    }
    if ((changed & GCMD_QIE) !== 0) this.#queue.enable((control & GCMD_QIE) !== 0);
    this.#control = control;
    Atomics.store(this.#words, this.#base + VTD_GSTS, control); // pairs with VtdDriver: GSTS, then what was switched
    Atomics.notify(this.#words, this.#base + VTD_GSTS);
  }
}
