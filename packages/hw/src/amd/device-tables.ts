import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { type AmdAttach, dteFor, storeDte } from './attach.ts';
import { GCR3_ENTRIES, GCR3_TABLE_WORDS, GCR3_VALID } from './dte.ts';
import {
  AMD_DEVICES,
  AMD_GCR3_COUNT,
  DRIVER_DEVICE,
  DRIVER_MAX_PASIDS,
  deviceEntryAt,
  driverEntryAt,
  gcr3TableAt,
} from './layout.ts';

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
  /** PASIDs 1 to this less one may be used, 2 to 512. Default 512: all that a GCR3 table holds. */
  readonly maxPasids?: number;
  readonly pri?: PriSwitch;
  readonly ats?: AtsSwitch;
}

const NO_TABLE = -1;

/** A device with a driver. */
export interface BoundDevice {
  readonly deviceId: number;
  readonly maxPasids: number;
  readonly pri: PriSwitch | undefined;
  readonly ats: AtsSwitch | undefined;
  /** What it is attached to, as far as the hardware is known to know. */
  attach: AmdAttach;
  /** Whether it may send page requests. */
  ppr: boolean;
  /** Its GCR3 table, or -1. */
  table: number;
  /** PASIDs whose page table is gone, but not yet for certain from all caches. */
  readonly stale: Set<number>;
}

/** What the driver keeps in memory for the hardware: device table entries and GCR3 tables. Stores only; the caller invalidates. */
export class DeviceTables {
  readonly #words: Words;
  readonly #base: number;
  readonly #bound: Map<number, BoundDevice> = new Map();
  readonly #freeTables: number[];

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
    const tables = words[base + AMD_GCR3_COUNT];
    this.#freeTables = Array.from({ length: tables }, (_, i) => tables - 1 - i);
  }

  /** All bound devices. */
  all(): IterableIterator<BoundDevice> {
    return this.#bound.values();
  }

  /** @throws IommuError ENODEV not bound */
  get(call: string, deviceId: number): BoundDevice {
    const bound = this.#bound.get(deviceId);
    if (bound === undefined) throw new IommuError('ENODEV', call, 'deviceId', deviceId, 'has no driver');
    return bound;
  }

  find(deviceId: number): BoundDevice | undefined {
    return this.#bound.get(deviceId);
  }

  /** @throws IommuError ENODEV outside the device table, EBUSY when it has a driver, EINVAL */
  bind(deviceId: number, device: number, options: AmdDeviceOptions): void {
    const call = 'AmdDriver.bindDevice';
    deviceEntryAt(this.#words, this.#base, deviceId);
    checkInteger(call, 'device', device, 0, 2 ** 31 - 2);
    const maxPasids = options.maxPasids ?? GCR3_ENTRIES;
    checkInteger(call, 'maxPasids', maxPasids, 2, GCR3_ENTRIES);
    if (this.#bound.has(deviceId)) throw new IommuError('EBUSY', call, 'deviceId', deviceId, 'has a driver already');
    const at = driverEntryAt(this.#words, this.#base, deviceId);
    Atomics.store(this.#words, at + DRIVER_MAX_PASIDS, maxPasids);
    Atomics.store(this.#words, at + DRIVER_DEVICE, device + 1);
    const { pri, ats } = options;
    this.#bound.set(deviceId, {
      ...{ deviceId, maxPasids, pri, ats },
      ...{ attach: { kind: 'blocking' }, ppr: false, table: NO_TABLE, stale: new Set() },
    });
  }

  /** The device is blocked, and its caches are invalidated: nobody reads its GCR3 table any more. */
  unbind(bound: BoundDevice): void {
    if (bound.table !== NO_TABLE) this.#freeTables.push(bound.table);
    this.#bound.delete(bound.deviceId);
    Atomics.store(this.#words, driverEntryAt(this.#words, this.#base, bound.deviceId) + DRIVER_DEVICE, 0);
  }

  /** Writes a device's entry as it is to be attached; PASID 0's page table first, where the attach has one.
   * @throws IommuError as dteFor: nothing has changed then */
  store(bound: BoundDevice, attach: AmdAttach): void {
    const isNamed = bound.table !== NO_TABLE && (attach.kind !== 'nested' || this.#hasPasids(bound));
    const gcr3 = isNamed ? gcr3TableAt(this.#words, this.#base, bound.table) / 1024 : -1;
    const values = dteFor(attach, { ppr: bound.ppr, iotlb: bound.ats !== undefined, gcr3 });
    if (attach.kind === 'paging-v2') this.setPasid(bound, 0, attach.rootPage);
    storeDte(this.#words, deviceEntryAt(this.#words, this.#base, bound.deviceId), values);
  }

  /** Blocks every device that has no driver. */
  blockUnbound(): void {
    for (let id = 0; id < this.#words[this.#base + AMD_DEVICES]; id++)
      if (!this.#bound.has(id)) storeDte(this.#words, deviceEntryAt(this.#words, this.#base, id), { v: 1 });
  }

  /** Gives the device a GCR3 table if it has none. @returns whether it is new: its device table entry has to name it.
   * @throws IommuError ENOSPC */
  takeTable(call: string, bound: BoundDevice): boolean {
    if (bound.table !== NO_TABLE) return false;
    const table = this.#freeTables.pop();
    if (table === undefined) throw new IommuError('ENOSPC', call, 'deviceId', bound.deviceId, 'no GCR3 table left');
    const at = gcr3TableAt(this.#words, this.#base, table);
    this.#words.fill(0, at, at + GCR3_TABLE_WORDS); // nobody reads it before the device table entry names it
    bound.table = table;
    return true;
  }

  /** Takes a table back that no device table entry has named yet. */
  dropTable(bound: BoundDevice): void {
    this.#freeTables.push(bound.table);
    bound.table = NO_TABLE;
  }

  /** Word offset of a PASID's entry, 0 without a table. */
  pasidEntryAt(bound: BoundDevice, pasid: number): number {
    return bound.table === NO_TABLE ? 0 : gcr3TableAt(this.#words, this.#base, bound.table) + pasid * 2;
  }

  /** PASIDs that have a page table, 0 included. */
  *pasidsOf(bound: BoundDevice): Generator<number, void, void> {
    for (let pasid = 0; pasid < bound.maxPasids; pasid++) if (this.hasPasid(bound, pasid)) yield pasid;
  }

  hasPasid(bound: BoundDevice, pasid: number): boolean {
    const at = this.pasidEntryAt(bound, pasid);
    return at !== 0 && (Atomics.load(this.#words, at) & GCR3_VALID) !== 0;
  }

  /** Names a guest page table's root: the half with the valid bit last. */
  setPasid(bound: BoundDevice, pasid: number, rootPage: number): void {
    const at = this.pasidEntryAt(bound, pasid);
    Atomics.store(this.#words, at + 1, Math.floor(rootPage / 2 ** 20));
    Atomics.store(this.#words, at, (rootPage << 12) | GCR3_VALID);
  }

  clearPasid(bound: BoundDevice, pasid: number): void {
    const at = this.pasidEntryAt(bound, pasid);
    if (at === 0) return;
    Atomics.store(this.#words, at, 0);
    Atomics.store(this.#words, at + 1, 0);
  }

  /** Whether any PASID but 0 has a page table. */
  #hasPasids(bound: BoundDevice): boolean {
    for (const pasid of this.pasidsOf(bound)) if (pasid !== 0) return true;
    return false;
  }
}
