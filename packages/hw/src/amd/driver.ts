import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import type { AmdOps } from './amd-ops.ts';
import { type AmdAttach, dteFor, storeDte } from './attach.ts';
import { clearControl, hardwareHasSeen, setControl } from './control.ts';
import { GCR3_ENTRIES, GCR3_TABLE_WORDS, GCR3_VALID } from './dte.ts';
import { type AmdFeatures, readFeatures } from './features.ts';
import {
  AMD_CMD_BASE,
  AMD_CMD_ENTRIES,
  AMD_CMD_RESTART,
  AMD_CMDBUF,
  AMD_CONTROL_SEEN,
  AMD_DEVICES,
  AMD_DEVTAB,
  AMD_DEVTAB_BASE,
  AMD_EVT_BASE,
  AMD_EVT_ENTRIES,
  AMD_EVTLOG,
  AMD_GCR3_COUNT,
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
  DRIVER_DEVICE,
  DRIVER_MAX_PASIDS,
  deviceEntryAt,
  driverEntryAt,
  gcr3TableAt,
  STAT_LOGGED,
  STAT_PPR_OVERFLOWS,
} from './layout.ts';
import {
  CONTROL_CMDBUF_EN,
  CONTROL_EVTINT_EN,
  CONTROL_EVTLOG_EN,
  CONTROL_GT_EN,
  CONTROL_HI_BLK_STOP_MRK_EN,
  CONTROL_HI_PPR_AUTO_RSP_EN,
  CONTROL_INV_TIMEOUT_SHIFT,
  CONTROL_IOMMU_EN,
  CONTROL_PPR_EN,
  CONTROL_PPRINT_EN,
  CONTROL_PPRLOG_EN,
  EARLY_EN,
  EARLY_INT_EN,
  INV_TIMEOUT_1S,
  STATUS_CMD_RUN,
  STATUS_EVT_RUN,
  STATUS_PPR_RUN,
  writeBase,
} from './registers.ts';

const SLICE_MS = 20;
const NO_TABLE = -1;
const RUNNING = STATUS_CMD_RUN | STATUS_EVT_RUN | STATUS_PPR_RUN;

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

/** The capabilities of a device that the driver switches: PriCapability and AtsCapability of `../pcie`. */
export interface PriSwitch {
  enable(wanted: number): number;
  disable(): void;
}
export interface AtsSwitch {
  readonly invalidateDepth: number;
  enable(pageLg2: number): void;
  disable(): void;
  isEnabled(): boolean;
}

export interface AmdDeviceOptions {
  /** PASIDs 1 to this less one may be used, at most what the IOMMU has. Default: all of those. */
  readonly maxPasids?: number;
  readonly pri?: PriSwitch;
  readonly ats?: AtsSwitch;
}

interface Bound {
  readonly options: AmdDeviceOptions;
  attach: AmdAttach;
  ppr: boolean;
  table: number; // GCR3 table, or NO_TABLE
}

/** Control of an AMD IOMMU: probe, switches, device table, PASIDs, page requests, invalidation batches, fences. One thread at a time.
 * Never blocks the event loop. @see Linux drivers/iommu/amd/{init,iommu,ppr}.c */
export class AmdDriver {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: AmdOps;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;
  readonly #devices: Map<number, Bound> = new Map();
  readonly #freeTables: number[];

  constructor(words: Words, base: number, config: AmdDriverConfig) {
    checkAmd(words, base, 'AmdDriver');
    this.#words = words;
    this.#base = base;
    this.#ops = config.ops;
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
    const tables = words[base + AMD_GCR3_COUNT];
    this.#freeTables = Array.from({ length: tables }, (_, i) => tables - 1 - i);
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
  async enable(options: AmdEnableOptions = {}): Promise<void> {
    const features = this.probe();
    const { autoResponse = true, blockStopMarkers = false, earlyThreshold = 0, invTimeout = INV_TIMEOUT_1S } = options;
    this.#check('autoResponse', autoResponse, features.autoResponse);
    this.#check('blockStopMarkers', blockStopMarkers, features.blockStopMarkers);
    this.#check('earlyThreshold', earlyThreshold !== 0, features.earlyWarning);
    checkInteger(
      'AmdDriver.enable',
      'earlyThreshold',
      earlyThreshold,
      0,
      this.#words[this.#base + AMD_PPR_ENTRIES] - 1,
    );
    checkInteger('AmdDriver.enable', 'invTimeout', invTimeout, 0, 6);
    this.#writeRegisters(earlyThreshold);
    for (let id = 0; id < this.#words[this.#base + AMD_DEVICES]; id++)
      if (!this.#devices.has(id)) this.#store(id, { kind: 'blocking' }, undefined);
    const high = (autoResponse ? CONTROL_HI_PPR_AUTO_RSP_EN : 0) | (blockStopMarkers ? CONTROL_HI_BLK_STOP_MRK_EN : 0);
    clearControl(this.#words, this.#base, 7 << CONTROL_INV_TIMEOUT_SHIFT, ~high);
    const logs = CONTROL_EVTLOG_EN | CONTROL_EVTINT_EN | CONTROL_PPRLOG_EN | CONTROL_PPRINT_EN | CONTROL_PPR_EN;
    const on = CONTROL_IOMMU_EN | CONTROL_CMDBUF_EN | CONTROL_GT_EN | logs;
    const write = setControl(this.#words, this.#base, on | (invTimeout << CONTROL_INV_TIMEOUT_SHIFT), high);
    Atomics.store(this.#words, this.#base + AMD_CMD_RESTART, write);
    await this.#seen('enable', write);
    const status = Atomics.load(this.#words, this.#base + AMD_STATUS);
    if ((status & RUNNING) !== RUNNING)
      throw new IommuError('ENODEV', 'AmdDriver.enable', 'STATUS', status, 'a ring does not run');
  }

  /** Switches everything off: page requests are answered Failure from then on. @throws IommuError ETIMEDOUT */
  async disable(): Promise<void> {
    const logs = CONTROL_EVTLOG_EN | CONTROL_EVTINT_EN | CONTROL_PPRLOG_EN | CONTROL_PPRINT_EN | CONTROL_PPR_EN;
    await this.#seen('disable', clearControl(this.#words, this.#base, CONTROL_IOMMU_EN | CONTROL_CMDBUF_EN | logs));
  }

  /** PprEn off: what is in the log is there on return, further page requests are answered Failure. The log itself stays on, as requests
   * that find none are not answered. @throws IommuError ETIMEDOUT */
  async disablePageRequests(): Promise<void> {
    await this.#seen('disablePageRequests', clearControl(this.#words, this.#base, CONTROL_PPR_EN));
  }

  async enablePageRequests(): Promise<void> {
    await this.#seen('enablePageRequests', setControl(this.#words, this.#base, CONTROL_PPR_EN));
  }

  /** Takes a device id for `device` (index in the core's device table). It is blocked until attached.
   * @throws IommuError ENODEV outside the device table, EBUSY when it has a driver, EINVAL */
  bindDevice(deviceId: number, device: number, options: AmdDeviceOptions = {}): void {
    const call = 'AmdDriver.bindDevice';
    deviceEntryAt(this.#words, this.#base, deviceId);
    checkInteger(call, 'device', device, 0, 2 ** 31 - 2);
    const maxPasids = options.maxPasids ?? GCR3_ENTRIES;
    checkInteger(call, 'maxPasids', maxPasids, 1, GCR3_ENTRIES);
    if (this.#devices.has(deviceId)) throw new IommuError('EBUSY', call, 'deviceId', deviceId, 'has a driver already');
    const at = driverEntryAt(this.#words, this.#base, deviceId);
    Atomics.store(this.#words, at + DRIVER_MAX_PASIDS, maxPasids);
    Atomics.store(this.#words, at + DRIVER_DEVICE, device + 1);
    this.#devices.set(deviceId, { options, attach: { kind: 'blocking' }, ppr: false, table: NO_TABLE });
  }

  /** Gives the device id up. The caller has blocked it, fenced the log and answered what was pending. */
  async unbindDevice(deviceId: number): Promise<void> {
    const bound = this.#bound('AmdDriver.unbindDevice', deviceId);
    await this.blockDevice(deviceId);
    if (bound.table !== NO_TABLE) this.#freeTables.push(bound.table);
    this.#devices.delete(deviceId);
    Atomics.store(this.#words, driverEntryAt(this.#words, this.#base, deviceId) + DRIVER_DEVICE, 0);
  }

  /** Attaches the device: entry written, caches invalidated, one completion wait; then ATS, where the device has it.
   * @throws IommuError EINVAL, EBUSY (see {@link dteFor}), ENODEV not bound, ETIMEDOUT */
  async attach(deviceId: number, attach: AmdAttach): Promise<void> {
    const bound = this.#bound('AmdDriver.attach', deviceId);
    const old = bound.attach;
    this.#store(deviceId, attach, bound); // refuses before anything has changed
    bound.attach = attach;
    if (attach.kind === 'nested') bound.ppr = true; // its PPR bit is the guest's
    await this.#flushEntry(deviceId, old, bound);
    const { ats } = bound.options;
    if (ats !== undefined && attach.kind !== 'blocking' && !ats.isEnabled()) ats.enable(12);
  }

  /** Installs a guest page table for a PASID: `rootPage` is its root's page number.
   * @throws IommuError EINVAL, EBUSY taken, ENOSPC no GCR3 table left, ENODEV not bound, EOPNOTSUPP a device that is not attached, or nested */
  async attachPasid(deviceId: number, pasid: number, rootPage: number): Promise<void> {
    const call = 'AmdDriver.attachPasid';
    const bound = this.#bound(call, deviceId);
    checkInteger(call, 'pasid', pasid, 1, (bound.options.maxPasids ?? GCR3_ENTRIES) - 1);
    checkInteger(call, 'rootPage', rootPage, 0, 2 ** 40 - 1);
    if (bound.attach.kind === 'blocking' || bound.attach.kind === 'nested')
      throw new IommuError('EOPNOTSUPP', call, 'deviceId', deviceId, `is attached ${bound.attach.kind}`);
    const fresh = bound.table === NO_TABLE;
    if (fresh) this.#takeTable(call, deviceId, bound);
    const at = gcr3TableAt(this.#words, this.#base, bound.table) + pasid * 2;
    if ((Atomics.load(this.#words, at) & GCR3_VALID) !== 0)
      throw new IommuError('EBUSY', call, 'pasid', pasid, 'has a page table');
    Atomics.store(this.#words, at + 1, Math.floor(rootPage / 2 ** 20));
    Atomics.store(this.#words, at, (rootPage << 12) | GCR3_VALID);
    if (fresh) {
      this.#store(deviceId, bound.attach, bound);
      this.#ops.invalidateDevtabEntry(deviceId);
    }
    await this.#flushPasid(deviceId, bound, pasid);
  }

  /** Removes a PASID's page table: its entry is cleared, then everything that may hold it is invalidated, with one completion wait.
   * @throws IommuError ENOENT nothing is attached there, ENODEV, ETIMEDOUT */
  async detachPasid(deviceId: number, pasid: number): Promise<void> {
    const call = 'AmdDriver.detachPasid';
    const bound = this.#bound(call, deviceId);
    checkInteger(call, 'pasid', pasid, 1, GCR3_ENTRIES - 1);
    const at = bound.table === NO_TABLE ? 0 : gcr3TableAt(this.#words, this.#base, bound.table) + pasid * 2;
    if (at === 0 || (Atomics.load(this.#words, at) & GCR3_VALID) === 0)
      throw new IommuError('ENOENT', call, 'pasid', pasid, 'has no page table');
    Atomics.store(this.#words, at, 0);
    Atomics.store(this.#words, at + 1, 0);
    await this.#flushPasid(deviceId, bound, pasid);
  }

  /** Lets the device send page requests, `wanted` outstanding at most: entry first, device last. PRI rests on ATS, which {@link attach}
   * switched on. @throws IommuError EINVAL not attached, EBUSY on already, or the device has not stopped since the last time; ETIMEDOUT */
  async enablePri(deviceId: number, wanted: number = 32): Promise<void> {
    const bound = this.#bound('AmdDriver.enablePri', deviceId);
    const { kind } = bound.attach;
    if (kind === 'blocking') throw new IommuError('EINVAL', 'AmdDriver.enablePri', 'deviceId', deviceId, 'is blocked');
    if (bound.ppr && kind !== 'nested')
      throw new IommuError('EBUSY', 'AmdDriver.enablePri', 'deviceId', deviceId, 'may send page requests already');
    bound.ppr = true;
    await this.#updateEntry(deviceId, bound);
    bound.options.pri?.enable(wanted);
  }

  /** Takes the permission away, at the device first: it has had all its answers. Late requests are answered Invalid by the hardware. */
  async disablePri(deviceId: number): Promise<void> {
    const bound = this.#bound('AmdDriver.disablePri', deviceId);
    bound.options.pri?.disable();
    bound.ppr = false;
    await this.#updateEntry(deviceId, bound);
  }

  /** Stops the device: on return the hardware logs nothing more of it. Its driver stays known, so that late entries find it. */
  async blockDevice(deviceId: number): Promise<void> {
    const bound = this.#bound('AmdDriver.blockDevice', deviceId);
    const old = bound.attach;
    bound.attach = { kind: 'blocking' };
    this.#store(deviceId, bound.attach, bound);
    await this.#flushEntry(deviceId, old, bound);
  }

  /** Pages `first` to `last` of a domain, then the same in the caches of the devices that have any: one completion wait for all.
   * @param pasid or -1: the host table's. @throws IommuError EINVAL, ETIMEDOUT */
  async invalidate(
    domain: number,
    pasid: number,
    first: number,
    last: number,
    deviceIds: readonly number[],
  ): Promise<void> {
    this.#ops.invalidatePages(domain, pasid, first, last);
    for (const id of deviceIds) this.#invalidateIotlb(id, this.#devices.get(id), pasid, first, last);
    await this.#ops.syncAsync();
  }

  /** Waits until no report of an entry older than this call is under way. The devices' own caches are invalidated: the completions come
   * behind what the devices had asked for; then the pump is waited for. After an overflow meanwhile, all of it once more.
   * With the devices blocked before, none of it is reported later.
   * @param deviceIds default: all that are bound. @throws IommuError ETIMEDOUT when the hardware or the pump stands still. */
  async fence(deviceIds: Iterable<number> = this.#devices.keys()): Promise<void> {
    const ids = [...deviceIds];
    const stats = this.#base + AMD_STATS;
    for (;;) {
      const overflows = Atomics.load(this.#words, stats + STAT_PPR_OVERFLOWS);
      for (const id of ids) this.#invalidateIotlb(id, this.#devices.get(id), -1);
      await this.#ops.syncAsync();
      const target = Atomics.load(this.#words, stats + STAT_LOGGED); // pairs with COMPLETION_WAIT: entries, then its store
      await this.#passed(target);
      if (Atomics.load(this.#words, stats + STAT_PPR_OVERFLOWS) === overflows) return;
    }
  }

  /** {@link fence} of all devices. */
  async fenceEventQueue(): Promise<void> {
    await this.fence();
  }

  /** Waits until the hardware has sent on every answer that was in the command buffer before this call: other threads' too, but not what
   * they still gather. @throws IommuError ETIMEDOUT */
  async fenceCommands(): Promise<void> {
    await this.#ops.syncAsync();
  }

  #check(option: string, wanted: boolean, offered: boolean): void {
    if (wanted && !offered)
      throw new IommuError('EOPNOTSUPP', 'AmdDriver.enable', option, wanted, 'the IOMMU does not offer it');
  }

  #bound(call: string, deviceId: number): Bound {
    const bound = this.#devices.get(deviceId);
    if (bound === undefined) throw new IommuError('ENODEV', call, 'deviceId', deviceId, 'has no driver');
    return bound;
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

  #store(deviceId: number, attach: AmdAttach, bound: Bound | undefined): void {
    const table = bound?.table ?? NO_TABLE;
    const gcr3 = table === NO_TABLE ? -1 : gcr3TableAt(this.#words, this.#base, table) / 1024;
    const extras = { ppr: bound?.ppr === true, iotlb: bound?.options.ats !== undefined, gcr3 };
    storeDte(this.#words, deviceEntryAt(this.#words, this.#base, deviceId), dteFor(attach, extras));
  }

  #takeTable(call: string, deviceId: number, bound: Bound): void {
    const table = this.#freeTables.pop();
    if (table === undefined) throw new IommuError('ENOSPC', call, 'deviceId', deviceId, 'no GCR3 table left');
    const at = gcr3TableAt(this.#words, this.#base, table);
    this.#words.fill(0, at, at + GCR3_TABLE_WORDS); // nobody reads it before the device table entry names it
    bound.table = table;
  }

  async #updateEntry(deviceId: number, bound: Bound): Promise<void> {
    this.#store(deviceId, bound.attach, bound);
    this.#ops.invalidateDevtabEntry(deviceId);
    await this.#ops.syncAsync();
  }

  /** Device table entry, then the pages of the domain it had, then the device's own cache: in the order in which each feeds the next. */
  async #flushEntry(deviceId: number, old: AmdAttach, bound: Bound): Promise<void> {
    this.#ops.invalidateDevtabEntry(deviceId);
    if (old.kind !== 'blocking') {
      this.#ops.invalidatePages(old.domain, -1);
      this.#invalidateIotlb(deviceId, bound, -1);
    }
    await this.#ops.syncAsync();
  }

  async #flushPasid(deviceId: number, bound: Bound, pasid: number): Promise<void> {
    if (bound.attach.kind !== 'blocking') this.#ops.invalidatePages(bound.attach.domain, pasid);
    this.#invalidateIotlb(deviceId, bound, pasid);
    await this.#ops.syncAsync();
  }

  /** A device without ATS, or with it off, has no cache to invalidate. */
  #invalidateIotlb(deviceId: number, bound: Bound | undefined, pasid: number, first?: number, last?: number): void {
    const ats = bound?.options.ats;
    if (ats?.isEnabled() === true) this.#ops.invalidateIotlb(deviceId, pasid, first, last, ats.invalidateDepth % 32);
  }

  async #seen(call: string, write: number): Promise<void> {
    this.#hardware.ring();
    await this.#until(call, this.#base + AMD_CONTROL_SEEN, () => hardwareHasSeen(this.#words, this.#base, write));
  }

  async #passed(target: number): Promise<void> {
    const at = this.#base + AMD_PPR_PASSED;
    Atomics.add(this.#words, this.#base + AMD_PPR_FENCES, 1); // [G]
    try {
      await this.#until('fence', at, () => ((Atomics.load(this.#words, at) - target) | 0) >= 0);
    } finally {
      Atomics.sub(this.#words, this.#base + AMD_PPR_FENCES, 1);
    }
  }

  async #until(call: string, at: number, isTrue: () => boolean): Promise<void> {
    for (const deadline = performance.now() + this.#timeoutMs; ; ) {
      const seen = Atomics.load(this.#words, at);
      if (isTrue()) return;
      if (performance.now() >= deadline)
        throw new IommuError(
          'ETIMEDOUT',
          `AmdDriver.${call}`,
          'timeoutMs',
          this.#timeoutMs,
          'the other side did not answer',
        );
      await Atomics.waitAsync(this.#words, at, seen, SLICE_MS).value;
    }
  }
}
