import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import type { AmdOps } from './amd-ops.ts';
import type { AmdAttach } from './attach.ts';
import { clearControl, hardwareHasSeen, setControl } from './control.ts';
import { type AmdDeviceOptions, type BoundDevice, DeviceTables } from './device-tables.ts';
import { type AmdFeatures, readFeatures } from './features.ts';
import {
  AMD_CMD_BASE,
  AMD_CMD_ENTRIES,
  AMD_CMD_RESTART,
  AMD_CMDBUF,
  AMD_CONTROL_SEEN,
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
  AMD_PPR_FENCES,
  AMD_PPR_PASSED,
  AMD_PPRLOG,
  AMD_STATS,
  AMD_STATUS,
  checkAmd,
  STAT_LOGGED,
  STAT_PPR_OVERFLOWS,
} from './layout.ts';
import type { Procedure } from './procedure.ts';
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
/** log2 of the smallest page, which devices are told. */
const PAGE_LG2 = 12;

export interface AmdDriverConfig {
  /** This thread's own. */
  readonly ops: AmdOps;
  readonly hardwareDoorbell: Doorbell;
  /** How long to wait for the hardware, or for the event pump. Default 10 s. */
  readonly timeoutMs?: number;
}

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

/** What an AMD driver does, step by step and in which order: probe, switches, device table, PASIDs, page requests, invalidation batches with
 * one completion wait, fences. One procedure at a time. @see Linux drivers/iommu/amd/{init,iommu,ppr}.c */
export class AmdProcedures {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: AmdOps;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;
  readonly #tables: DeviceTables;

  /** @throws IommuError EINVAL when `base` holds no AMD IOMMU. */
  constructor(words: Words, base: number, config: AmdDriverConfig) {
    checkAmd(words, base, 'AmdProcedures');
    this.#words = words;
    this.#base = base;
    this.#ops = config.ops;
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
    this.#tables = new DeviceTables(words, base);
  }

  /** What the IOMMU offers. @throws IommuError ENODEV without page requests and guest translation: nothing here works without. */
  probe(): AmdFeatures {
    const features = readFeatures(this.#words, this.#base);
    if (!features.ppr || !features.guestTranslation)
      throw new IommuError('ENODEV', 'AmdDriver.probe', 'features', features, 'lacks PPR or guest translation');
    return features;
  }

  /** Writes the base registers and switches everything on. Rings go on where they were. All devices that are not bound are blocked.
   * @throws IommuError EOPNOTSUPP an option that the IOMMU lacks, EINVAL a bad one, ENODEV a ring that does not start, ETIMEDOUT */
  *enable(options: AmdEnableOptions = {}): Procedure {
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
    // Ahead of the two writes below: a thread that flushes meanwhile must not take a buffer that has yet to start for one that stopped.
    const restart = this.#base + AMD_CMD_RESTART;
    Atomics.store(this.#words, restart, (Atomics.load(this.#words, this.#base + AMD_CONTROL_WRITES) + 2) | 0);
    clearControl(this.#words, this.#base, CONTROL_INV_TIMEOUT_MASK, ~high);
    const on = CONTROL_IOMMU_EN | CONTROL_CMDBUF_EN | CONTROL_GT_EN | LOGS;
    const write = setControl(this.#words, this.#base, on | (invTimeout << CONTROL_INV_TIMEOUT_SHIFT), high);
    Atomics.store(this.#words, restart, write);
    yield* this.#seen('enable', write);
    const status = Atomics.load(this.#words, this.#base + AMD_STATUS);
    if ((status & RUNNING) !== RUNNING) throw new IommuError('ENODEV', call, 'STATUS', status, 'a ring does not run');
  }

  /** Switches everything off: page requests are answered Failure from then on. @throws IommuError ETIMEDOUT */
  *disable(): Procedure {
    const off = CONTROL_IOMMU_EN | CONTROL_CMDBUF_EN | LOGS;
    yield* this.#seen('disable', clearControl(this.#words, this.#base, off));
  }

  /** PprEn: while it is off, page requests are answered Failure, for all devices. The log itself stays on, as requests that find none may
   * not be answered at all. What was logged before is there on return. @throws IommuError ETIMEDOUT */
  *switchPageRequests(on: boolean): Procedure {
    const change = on ? setControl : clearControl;
    yield* this.#seen('switchPageRequests', change(this.#words, this.#base, CONTROL_PPR_EN));
  }

  /** Takes a device id for `device` (index in the core's device table). It is blocked until attached.
   * @throws IommuError ENODEV outside the device table, EBUSY when it has a driver, EINVAL */
  bindDevice(deviceId: number, device: number, options: AmdDeviceOptions = {}): void {
    this.#tables.bind(deviceId, device, options);
  }

  /** Gives the device id up. The caller has blocked it, fenced the log and answered what was pending. @throws IommuError ENODEV, ETIMEDOUT */
  *unbindDevice(deviceId: number): Procedure {
    yield* this.blockDevice(deviceId);
    this.#tables.unbind(this.#tables.get('AmdDriver.unbindDevice', deviceId));
  }

  /** Attaches the device: entry written, caches invalidated, one completion wait; then ATS, where the device has it.
   * @throws IommuError EINVAL, EBUSY (see dteFor), ENODEV not bound, ETIMEDOUT */
  *attach(deviceId: number, attach: AmdAttach): Procedure {
    const bound = this.#tables.get('AmdDriver.attach', deviceId);
    const old = bound.attach;
    this.#tables.store(bound, attach); // refuses before anything has changed
    yield* this.#flushEntry(bound, old);
    if (attach.kind !== 'blocking' && bound.ats?.isEnabled() === false) bound.ats.enable(PAGE_LG2);
  }

  /** Installs a guest page table for a PASID: `rootPage` is its root's page number. The device's own cache is left alone, as it was cleared
   * of the PASID at the detach before and holds nothing that is not there (Linux invalidates it all the same).
   * @throws IommuError EINVAL, EBUSY taken, ENOSPC no GCR3 table left, ENODEV not bound, EOPNOTSUPP a device that is not attached, or nested */
  *attachPasid(deviceId: number, pasid: number, rootPage: number): Procedure {
    const call = 'AmdDriver.attachPasid';
    const bound = this.#tables.get(call, deviceId);
    const { attach } = bound;
    checkInteger(call, 'pasid', pasid, 1, bound.maxPasids - 1);
    checkInteger(call, 'rootPage', rootPage, 0, 2 ** 40 - 1);
    if (attach.kind === 'blocking' || attach.kind === 'nested')
      throw new IommuError('EOPNOTSUPP', call, 'deviceId', deviceId, `is attached ${attach.kind}`);
    if (this.#tables.hasPasid(bound, pasid)) throw new IommuError('EBUSY', call, 'pasid', pasid, 'has a page table');
    const isNew = this.#tables.takeTable(call, bound);
    this.#tables.setPasid(bound, pasid, rootPage);
    if (isNew) {
      this.#tables.store(bound, attach);
      this.#ops.invalidateDevtabEntry(deviceId);
    }
    this.#ops.invalidatePages(attach.domain, pasid);
    yield* this.#ops.syncSteps();
  }

  /** Removes a PASID's page table: its entry is cleared, then everything that may hold it is invalidated, with one completion wait.
   * @throws IommuError ENOENT nothing is attached there, ENODEV, ETIMEDOUT */
  *detachPasid(deviceId: number, pasid: number): Procedure {
    const call = 'AmdDriver.detachPasid';
    const bound = this.#tables.get(call, deviceId);
    checkInteger(call, 'pasid', pasid, 1, bound.maxPasids - 1);
    if (!this.#tables.hasPasid(bound, pasid)) throw new IommuError('ENOENT', call, 'pasid', pasid, 'has no page table');
    this.#tables.clearPasid(bound, pasid);
    yield* this.#flushPasid(bound, pasid);
  }

  /** Lets the device send page requests, `wanted` outstanding at most: entry first, device last. PRI rests on ATS, which {@link attach}
   * switched on. @throws IommuError EINVAL not attached, EBUSY on already, or the device has not stopped since the last time; ETIMEDOUT */
  *enablePri(deviceId: number, wanted: number = 32): Procedure {
    const call = 'AmdDriver.enablePri';
    const bound = this.#tables.get(call, deviceId);
    if (bound.attach.kind === 'blocking') throw new IommuError('EINVAL', call, 'deviceId', deviceId, 'is blocked');
    if (bound.ppr) throw new IommuError('EBUSY', call, 'deviceId', deviceId, 'may send page requests already');
    bound.ppr = true;
    yield* this.#updateEntry(bound);
    bound.pri?.enable(wanted);
  }

  /** Takes the permission away, at the device first: it has had all its answers. Late requests are answered Invalid by the hardware. */
  *disablePri(deviceId: number): Procedure {
    const bound = this.#tables.get('AmdDriver.disablePri', deviceId);
    bound.pri?.disable();
    bound.ppr = false;
    yield* this.#updateEntry(bound);
  }

  /** Stops the device: on return the hardware logs nothing more of it. Its driver stays known, so that late entries find it. */
  *blockDevice(deviceId: number): Procedure {
    const bound = this.#tables.get('AmdDriver.blockDevice', deviceId);
    const old = bound.attach;
    this.#tables.store(bound, { kind: 'blocking' });
    yield* this.#flushEntry(bound, old);
  }

  /** Pages `first` to `last` of a domain, then the same in the caches of the devices that have any: one completion wait for all.
   * @param pasid or -1: the host table's. @throws IommuError EINVAL, ETIMEDOUT */
  *invalidate(domain: number, pasid: number, first: number, last: number, deviceIds: readonly number[]): Procedure {
    this.#ops.invalidatePages(domain, pasid, first, last);
    for (const id of deviceIds) this.#invalidateIotlb(this.#tables.find(id), pasid, first, last);
    yield* this.#ops.syncSteps();
  }

  /** Waits until no report of an entry older than this call is under way. The devices' own caches are invalidated: the completions come
   * behind what the devices had asked for; then the pump is waited for. After an overflow meanwhile, all of it once more.
   * With the devices blocked before, none of it is reported later.
   * @param deviceIds default: all that are bound. @throws IommuError ETIMEDOUT when the hardware or the pump stands still. */
  *fenceEventQueue(deviceIds?: readonly number[]): Procedure {
    const overflowsAt = this.#base + AMD_STATS + STAT_PPR_OVERFLOWS;
    for (let before = -1; before !== Atomics.load(this.#words, overflowsAt); ) {
      before = Atomics.load(this.#words, overflowsAt);
      const devices = deviceIds?.map((id) => this.#tables.find(id)) ?? [...this.#tables.all()];
      for (const device of devices) this.#invalidateIotlb(device, -1);
      yield* this.#ops.syncSteps();
      const logged = Atomics.load(this.#words, this.#base + AMD_STATS + STAT_LOGGED); // pairs with COMPLETION_WAIT: entries, then its store
      yield* this.#passed(logged);
    }
  }

  /** Waits until the hardware has sent on every answer that was in the command buffer before this call: other threads' too, but not what
   * they still gather. @throws IommuError ETIMEDOUT */
  *fenceResponses(): Procedure {
    yield* this.#ops.syncSteps();
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

  *#updateEntry(bound: BoundDevice): Procedure {
    this.#tables.store(bound, bound.attach);
    this.#ops.invalidateDevtabEntry(bound.deviceId);
    yield* this.#ops.syncSteps();
  }

  /** Device table entry, then the pages of the domain it had, then the device's own cache: in the order in which each feeds the next. */
  *#flushEntry(bound: BoundDevice, old: AmdAttach): Procedure {
    this.#ops.invalidateDevtabEntry(bound.deviceId);
    if (old.kind !== 'blocking') {
      this.#ops.invalidatePages(old.domain, -1);
      this.#invalidateIotlb(bound, -1);
    }
    yield* this.#ops.syncSteps();
  }

  *#flushPasid(bound: BoundDevice, pasid: number): Procedure {
    if (bound.attach.kind !== 'blocking') this.#ops.invalidatePages(bound.attach.domain, pasid);
    this.#invalidateIotlb(bound, pasid);
    yield* this.#ops.syncSteps();
  }

  /** A device without ATS, or with it off, has no cache to invalidate. */
  #invalidateIotlb(bound: BoundDevice | undefined, pasid: number, first?: number, last?: number): void {
    if (bound?.ats?.isEnabled() !== true) return;
    this.#ops.invalidateIotlb(bound.deviceId, pasid, first, last, bound.ats.invalidateDepth);
  }

  *#seen(call: string, write: number): Procedure {
    this.#hardware.ring();
    yield* this.#until(call, this.#base + AMD_CONTROL_SEEN, () => hardwareHasSeen(this.#words, this.#base, write));
  }

  *#passed(target: number): Procedure {
    const at = this.#base + AMD_PPR_PASSED;
    Atomics.add(this.#words, this.#base + AMD_PPR_FENCES, 1); // [G]
    try {
      yield* this.#until('fenceEventQueue', at, () => ((Atomics.load(this.#words, at) - target) | 0) >= 0);
    } finally {
      Atomics.sub(this.#words, this.#base + AMD_PPR_FENCES, 1);
    }
  }

  *#until(call: string, at: number, isTrue: () => boolean): Procedure {
    for (const deadline = performance.now() + this.#timeoutMs; ; ) {
      const seen = Atomics.load(this.#words, at);
      if (isTrue()) return;
      if (performance.now() >= deadline)
        throw new IommuError('ETIMEDOUT', `AmdDriver.${call}`, 'timeoutMs', this.#timeoutMs, 'nobody answered');
      yield { at, seen };
    }
  }
}

function checkOffer(option: string, wanted: boolean, offered: boolean): void {
  if (wanted && !offered)
    throw new IommuError('EOPNOTSUPP', 'AmdDriver.enable', option, wanted, 'the IOMMU does not offer it');
}
