import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import type { Procedure } from '../procedure/procedure.ts';
import { clearControl, setControl } from './control.ts';
import type { DeviceTables } from './device-tables.ts';
import { type AmdFeatures, readFeatures } from './features.ts';
import type { HardwareWaits } from './hardware-waits.ts';
import {
  AMD_CMD_BASE,
  AMD_CMD_ENTRIES,
  AMD_CMD_RESTART,
  AMD_CMDBUF,
  AMD_CONTROL_WRITES,
  AMD_DEVICES,
  AMD_DEVTAB,
  AMD_DEVTAB_BASE,
  AMD_EVT_BASE,
  AMD_EVT_ENTRIES,
  AMD_EVTLOG,
  AMD_PPR_AUTO_RESPONSE,
  AMD_PPR_BASE,
  AMD_PPR_EARLY,
  AMD_PPR_ENTRIES,
  AMD_PPRLOG,
  AMD_STATUS,
} from './layout.ts';
import {
  CONTROL_CMDBUF_EN,
  CONTROL_EVTINT_EN,
  CONTROL_EVTLOG_EN,
  CONTROL_GT_EN,
  CONTROL_HI_BLK_STOP_MRK_EN,
  CONTROL_HI_PPR_AUTO_RSP_EN,
  CONTROL_INV_TIMEOUT_MASK,
  CONTROL_INV_TIMEOUT_SHIFT,
  CONTROL_IOMMU_EN,
  CONTROL_PPR_EN,
  CONTROL_PPRINT_EN,
  CONTROL_PPRLOG_EN,
  EARLY_EN,
  EARLY_INT_EN,
  INV_TIMEOUT_1S,
  INV_TIMEOUT_MS,
  STATUS_CMD_RUN,
  STATUS_EVT_RUN,
  STATUS_PPR_RUN,
  writeBase,
} from './registers.ts';

const RUNNING = STATUS_CMD_RUN | STATUS_EVT_RUN | STATUS_PPR_RUN;
const LOGS = CONTROL_EVTLOG_EN | CONTROL_EVTINT_EN | CONTROL_PPRLOG_EN | CONTROL_PPRINT_EN | CONTROL_PPR_EN;
const ON = CONTROL_IOMMU_EN | CONTROL_CMDBUF_EN | LOGS;

export interface AmdEnableOptions {
  /** Have the hardware answer the last requests of groups that the PPR log has no room for: Success, so that the device asks again.
   * Linux leaves this off; such requests are then never answered. Default true. */
  readonly autoResponse?: boolean;
  /** Have the hardware drop stop markers. Default false: the pump does. */
  readonly blockStopMarkers?: boolean;
  /** Entries in the PPR log from which on it warns, and answers by itself if it may. Default 0: never. */
  readonly earlyThreshold?: number;
  /** INV_TIMEOUT_*: how long a device's invalidation may take. Default 1 s, as Linux. */
  readonly invTimeout?: number;
}

/** The switches of a whole IOMMU: what it offers, on, off, page requests on and off. @see Linux drivers/iommu/amd/init.c */
export class SwitchProcedures {
  readonly #words: Words;
  readonly #base: number;
  readonly #waits: HardwareWaits;
  readonly #tables: DeviceTables;

  constructor(words: Words, base: number, waits: HardwareWaits, tables: DeviceTables) {
    this.#words = words;
    this.#base = base;
    this.#waits = waits;
    this.#tables = tables;
  }

  /** What the IOMMU offers. @throws IommuError ENODEV without page requests and guest translation: nothing here works without. */
  probe(): AmdFeatures {
    const features = readFeatures(this.#words, this.#base);
    if (!features.ppr || !features.guestTranslation)
      throw new IommuError('ENODEV', 'AmdDriver.probe', 'features', features, 'lacks PPR or guest translation');
    return features;
  }

  /** Writes the base registers and switches everything on. Rings go on where they were. All devices that are not bound are blocked.
   * If it fails, everything is off. @throws IommuError EOPNOTSUPP an option that the IOMMU lacks, EINVAL a bad one, ENODEV a ring that does
   * not start, ETIMEDOUT */
  *enable(options: AmdEnableOptions): Procedure {
    const call = 'AmdDriver.enable';
    const features = this.probe();
    const { autoResponse = true, blockStopMarkers = false, earlyThreshold = 0, invTimeout = INV_TIMEOUT_1S } = options;
    checkOffer('autoResponse', autoResponse, features.autoResponse);
    checkOffer('blockStopMarkers', blockStopMarkers, features.blockStopMarkers);
    checkOffer('earlyThreshold', earlyThreshold !== 0, features.earlyWarning);
    checkInteger(call, 'earlyThreshold', earlyThreshold, 0, this.#words[this.#base + AMD_PPR_ENTRIES] - 1);
    checkInteger(call, 'invTimeout', invTimeout, 0, INV_TIMEOUT_MS.length - 1);
    this.#writeRegisters(earlyThreshold);
    this.#tables.blockUnbound();
    const high = (autoResponse ? CONTROL_HI_PPR_AUTO_RSP_EN : 0) | (blockStopMarkers ? CONTROL_HI_BLK_STOP_MRK_EN : 0);
    try {
      yield* this.#waits.seen('enable', this.#switchOn(invTimeout, high));
      const status = Atomics.load(this.#words, this.#base + AMD_STATUS);
      if ((status & RUNNING) !== RUNNING) throw new IommuError('ENODEV', call, 'STATUS', status, 'a ring does not run');
    } catch (error) {
      clearControl(this.#words, this.#base, ON); // a hardware that comes to life later finds nothing to do
      throw error;
    }
  }

  /** Switches everything off: page requests are answered Failure from then on. @throws IommuError ETIMEDOUT */
  *disable(): Procedure {
    yield* this.#waits.seen('disable', clearControl(this.#words, this.#base, ON));
  }

  /** PprEn: while it is off, page requests are answered Failure, for all devices. The log itself stays on, as requests that find none may
   * not be answered at all. What was logged before is there on return. @throws IommuError ETIMEDOUT */
  *switchPageRequests(on: boolean): Procedure {
    const change = on ? setControl : clearControl;
    yield* this.#waits.seen('switchPageRequests', change(this.#words, this.#base, CONTROL_PPR_EN));
  }

  /** @returns number of the last write. */
  #switchOn(invTimeout: number, high: number): number {
    const words = this.#words;
    // Ahead of the two writes below: a thread that flushes meanwhile must not take a buffer that has yet to start for one that stopped.
    const restart = this.#base + AMD_CMD_RESTART;
    Atomics.store(words, restart, (Atomics.load(words, this.#base + AMD_CONTROL_WRITES) + 2) | 0);
    clearControl(words, this.#base, CONTROL_INV_TIMEOUT_MASK, ~high);
    const on = ON | CONTROL_GT_EN | (invTimeout << CONTROL_INV_TIMEOUT_SHIFT);
    const write = setControl(words, this.#base, on, high);
    Atomics.store(words, restart, write);
    return write;
  }

  #writeRegisters(earlyThreshold: number): void {
    const words = this.#words;
    const base = this.#base;
    const part = (offset: number): number => base + words[base + offset];
    writeBase(words, base + AMD_CMD_BASE, part(AMD_CMDBUF), words[base + AMD_CMD_ENTRIES]);
    writeBase(words, base + AMD_EVT_BASE, part(AMD_EVTLOG), words[base + AMD_EVT_ENTRIES]);
    writeBase(words, base + AMD_PPR_BASE, part(AMD_PPRLOG), words[base + AMD_PPR_ENTRIES]);
    const table = part(AMD_DEVTAB);
    words[base + AMD_DEVTAB_BASE] = ((table / 1024) << 12) | Math.ceil(words[base + AMD_DEVICES] / 128 - 1);
    words[base + AMD_DEVTAB_BASE + 1] = Math.floor(table / 1024 / 2 ** 20);
    words[base + AMD_PPR_AUTO_RESPONSE] = 0;
    words[base + AMD_PPR_EARLY] = earlyThreshold === 0 ? 0 : EARLY_EN | EARLY_INT_EN | earlyThreshold;
  }
}

function checkOffer(option: string, wanted: boolean, offered: boolean): void {
  if (wanted && !offered)
    throw new IommuError('EOPNOTSUPP', 'AmdDriver.enable', option, wanted, 'the IOMMU does not offer it');
}
