// A machine behind an SMMU, hardware and interrupt included, on one thread: the hardware works whenever it is rung.
import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { Arena } from '@faultline/core/memory';
import { CONTEXT_DEFAULTS, encodeCd, MISS_STAGE2, SmmuDriver, STALL_RETRY, StallPort } from '@faultline/hw/smmu-v3';
import type { PhysicalMemory } from '@faultline/iommufd';
import {
  Context,
  encodeData,
  HWPT_ARM_SMMUV3,
  HWPT_DATA_ARM_SMMUV3,
  Iommufd,
  iommufdConfig,
  PAGE_BYTES,
  VIOMMU_ARM_SMMUV3_INVALIDATE,
  VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
  VIOMMU_TYPE_ARM_SMMUV3,
} from '@faultline/iommufd';
import { createLab, type Lab, type SharedLab } from '@faultline/iommufd/testing';
import { expect } from 'vitest';
import type { SmmuIommufdDriver } from './driver.ts';
import { SmmuEvents } from './events.ts';
import { SmmuMachinery } from './hardware.ts';
import { initSmmuUnit, portsOf, type SmmuUnitConfig, smmuUnitRegions } from './index.ts';
import { SMMU_REGION } from './layout.ts';
import { openThread } from './open-thread.test-help.ts';

export const SID = 5;
/** What the guest calls it. */
export const VSID = 0x123;
const SIZES = iommufdConfig({ processes: 1 });
const FIRST_CONTEXT = 1;
const AF = 1n << 10n;
export const READ_ONLY: bigint = 1n << 7n;
const TABLE = 3n;

/** A device: its accesses are the hardware's to translate, and its bytes come to RAM. */
export class Dma {
  readonly #machinery: SmmuMachinery;
  readonly #ram: PhysicalMemory;
  readonly #port: StallPort;
  readonly #substreamId: number;

  constructor(
    words: Int32Array<SharedArrayBuffer>,
    portAt: number,
    machinery: SmmuMachinery,
    ram: PhysicalMemory,
    substreamId: number,
  ) {
    this.#port = new StallPort(words, portAt);
    this.#machinery = machinery;
    this.#ram = ram;
    this.#substreamId = substreamId;
  }

  /** Reads bytes within a page. @returns undefined: it faults, and waits for {@link settle}. */
  read(address: number, bytes: number): Uint8Array | undefined {
    const at = this.#translate(address, false);
    return at < 0 ? undefined : this.#ram.bytes.slice(at, at + bytes);
  }

  /** @returns false: it faults, and waits. */
  write(address: number, bytes: Uint8Array): boolean {
    const at = this.#translate(address, true);
    if (at >= 0) this.#ram.bytes.set(bytes, at);
    return at >= 0;
  }

  /** What became of the access that faulted: undefined, it still waits; true, it may be made again. */
  settle(): boolean | undefined {
    if (!this.#port.isDone()) return undefined;
    const result = this.#port.result(0);
    this.#port.reset();
    return result === STALL_RETRY;
  }

  #translate(address: number, write: boolean): number {
    const page = Math.floor(address / PAGE_BYTES);
    const { translation } = this.#machinery;
    const output = translation.translate(SID, this.#substreamId, page, write);
    if (output >= 0) return output * PAGE_BYTES + (address % PAGE_BYTES);
    const perm = write ? FAULT_PERM_WRITE : FAULT_PERM_READ;
    if (output === MISS_STAGE2) this.#port.postStage2(page, 0, perm, 0, translation.ipaPage);
    else this.#port.post(page, 0, perm, 0);
    this.#port.publish();
    return -1;
  }
}

export interface SmmuLab {
  /** For other threads. */
  readonly shared: SharedLab;
  readonly unit: SmmuUnitConfig;
  readonly lab: Lab;
  readonly context: Context;
  readonly iommufd: Iommufd;
  readonly driver: SmmuIommufdDriver;
  readonly machinery: SmmuMachinery;
  readonly events: SmmuEvents;
  /** What was told to nobody but the host. */
  readonly notes: string[];
  /** The device's accesses by substream, -1: without one. */
  dma(substreamId?: number): Dma;
  /** Lets hardware and interrupt work until both are idle. */
  turn(): void;
  /** Closes everything, and asks for all of it back. */
  expectNothingLeft(): void;
}

/** @param extra regions of a test's own. */
export async function makeSmmuLab(
  more: Partial<SmmuUnitConfig> = {},
  extra: readonly { readonly name: string; readonly words: number }[] = [],
): Promise<SmmuLab> {
  const unit: SmmuUnitConfig = {
    domains: SIZES.domains,
    threads: SIZES.threads,
    viommus: SIZES.objects,
    devices: [{ streamId: SID, substreams: [-1, 3] }, { streamId: 2 }],
    ...more,
  };
  const shared = createLab({ processes: 1, frames: 512 }, [...smmuUnitRegions(unit), ...extra]);
  initSmmuUnit(Arena.open(shared.arena), unit);
  const made: { machinery?: SmmuMachinery; events?: SmmuEvents } = {};
  const ring = (): void => void made.machinery?.pump(64);
  const between = (): void => {
    ring();
    made.events?.pump(64);
  };
  const { lab, driver, ops } = openThread(shared, unit, 1, ring, between);
  const { arena, machine, ram } = lab;
  const machinery = new SmmuMachinery(arena, ram, unit, () => 0);
  made.machinery = machinery;
  const notes: string[] = [];
  const events = new SmmuEvents(arena, machine, driver, ops, (outcome) => notes.push(outcome));
  made.events = events;
  const control = new SmmuDriver(arena.words, arena.base(SMMU_REGION), { ops, hardwareDoorbell: { ring } });
  const enabled = control.enable();
  ring();
  await enabled;
  const iommufd = Iommufd.open(machine, lab.caller(1));
  const ports = portsOf(unit).filter(({ device }) => device === 1);
  const dma = new Map(
    ports.map(({ name, substreamId }) => [
      substreamId,
      new Dma(arena.words, arena.base(name), machinery, ram, substreamId),
    ]),
  );
  return {
    ...{ shared, unit, lab, context: new Context(machine, FIRST_CONTEXT), iommufd, driver, machinery, events, notes },
    dma(substreamId = -1) {
      const found = dma.get(substreamId);
      if (found === undefined) throw new Error(`no port of substream ${substreamId}`);
      return found;
    },
    turn() {
      for (let round = 0; round < 8; round++) {
        ring();
        events.pump(64);
      }
    },
    expectNothingLeft() {
      iommufd.close();
      const live = machine.live();
      expect(live).toEqual(Object.fromEntries(Object.keys(live).map((name) => [name, 0])));
      expect(ram.pinned()).toBe(0);
      driver.domains.settle();
      expect(driver.domains.pool.live()).toBe(0);
      expect(driver.attachments.attached.list(() => true)).toEqual([]);
    },
  };
}

/** A guest's memory, mapped whole from intermediate address 0 on: its context descriptor in page 1, its tables from page 2 on. */
export class Guest {
  static readonly PAGES = 64;
  readonly smmu: SmmuLab;
  readonly devId: number;
  readonly ioasId: number;
  readonly parentId: number;
  readonly viommuId: number;
  readonly #userVa: bigint;

  constructor(smmu: SmmuLab, type: number = VIOMMU_TYPE_ARM_SMMUV3, data?: Uint8Array) {
    const { iommufd, lab } = smmu;
    this.smmu = smmu;
    const length = BigInt(Guest.PAGES * PAGE_BYTES);
    this.#userVa = lab.processes[0].mmap(Number(length));
    this.devId = iommufd.bind(1);
    this.ioasId = iommufd.ioasAlloc();
    iommufd.ioasMap({ ioasId: this.ioasId, userVa: this.#userVa, length, iova: 0n });
    this.parentId = iommufd.hwptAlloc({ devId: this.devId, ptId: this.ioasId, nestParent: true });
    const viommu = { type, devId: this.devId, hwptId: this.parentId };
    this.viommuId = iommufd.viommuAlloc(data === undefined ? viommu : { ...viommu, data });
    this.setContext({});
    for (const page of [2, 3, 4]) this.entry(page, 0, (BigInt(page + 1) << 12n) | TABLE);
  }

  /** @param index in the table at page 1. */
  setContext(fields: Readonly<Record<string, number>>, index = 0): void {
    const cd = new Int32Array(16);
    encodeCd(cd, 0, { ...CONTEXT_DEFAULTS, asid: 9, s: 1, ttb0Lo: 0x2000, ...fields });
    this.write(0x1000 + index * 64, new Uint8Array(cd.buffer));
  }

  /** Maps a page of the guest's own addresses, below 512. */
  map(va: number, ipa: number, attributes: bigint = 0n): void {
    this.entry(5, va, ipa < 0 ? 0n : (BigInt(ipa) << 12n) | attributes | AF | TABLE);
  }
  entry(page: number, slot: number, value: bigint): void {
    this.write(page * PAGE_BYTES + slot * 8, new Uint8Array(BigUint64Array.of(value).buffer));
  }

  write(ipa: number, bytes: Uint8Array): void {
    if (!this.smmu.lab.processes[0].write(this.#userVa + BigInt(ipa), bytes)) throw new Error('no such memory');
  }
  read(ipa: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    if (!this.smmu.lab.processes[0].read(this.#userVa + BigInt(ipa), bytes)) throw new Error('no such memory');
    return bytes;
  }

  /** The entry's first two words: by default valid, stage 1, one descriptor at 0x1000. */
  nested(ste0: bigint = 0x100bn, ste1: bigint = 0n, faultId?: number): number {
    const data = new Uint8Array(HWPT_ARM_SMMUV3.bytes);
    encodeData(HWPT_ARM_SMMUV3, { ste0, ste1 }, new DataView(data.buffer));
    const hwpt = { devId: this.devId, ptId: this.viommuId, dataType: HWPT_DATA_ARM_SMMUV3, data };
    return this.smmu.iommufd.hwptAlloc(faultId === undefined ? hwpt : { ...hwpt, faultId });
  }

  vdevice(): number {
    const { viommuId, devId } = this;
    return this.smmu.iommufd.vdeviceAlloc({ viommuId, devId, virtId: BigInt(VSID) });
  }

  /** Commands as words w0 w1, w0 w1, … @returns how many are done, and the errno that ended it. */
  invalidate(...words: readonly bigint[]): readonly [handled: number, errno: string] {
    const { handled, refusal } = this.smmu.iommufd.hwptInvalidate({
      hwptId: this.viommuId,
      dataType: VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
      entryBytes: VIOMMU_ARM_SMMUV3_INVALIDATE.bytes,
      entries: new Uint8Array(BigUint64Array.from(words).buffer),
    });
    return [handled, refusal?.code ?? ''];
  }
}

/** `EIO ste`: what a call is refused with; '' when it is not. */
export function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    const { code, field } = error as { readonly code?: string; readonly field?: string };
    if (code === undefined) throw error;
    return `${code} ${field}`;
  }
  return '';
}
