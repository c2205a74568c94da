import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import {
  DEVICE_BOUND,
  DEVICE_FUNCTION,
  DEVICE_GROUP,
  DEVICE_PASIDS,
  DEVICE_RID,
  DEVICE_ROW_WORDS,
  DEVICE_STATE,
  VTD_DEVICES_REGION,
} from './layout.ts';

/** A device behind the unit. */
export interface VtdDevice {
  /** Its number, as in the core's device table. */
  readonly device: number;
  readonly rid: number;
  /** Default: one of its own, named by the device's number. */
  readonly group?: number;
  /** log2 of its PASIDs. Default 0: none. */
  readonly pasidsLog2?: number;
  /** Word offset of its ATS and PRI registers (`initFunction`). Default: it has neither, and cannot fault. */
  readonly functionAt?: number;
}

/** The devices' rows, as a thread sees them. */
export class VtdDevices {
  readonly #words: Words;
  readonly #base: number;
  readonly #rows: number;

  constructor(arena: Arena) {
    this.#words = arena.words;
    this.#base = arena.base(VTD_DEVICES_REGION);
    this.#rows = Math.floor(arena.sizeWords(VTD_DEVICES_REGION) / DEVICE_ROW_WORDS);
  }

  add({ device, rid, group = device, pasidsLog2 = 0, functionAt = 0 }: VtdDevice): void {
    const at = this.#base + device * DEVICE_ROW_WORDS;
    this.#words[at + DEVICE_RID] = rid;
    this.#words[at + DEVICE_GROUP] = group;
    this.#words[at + DEVICE_PASIDS] = pasidsLog2;
    this.#words[at + DEVICE_FUNCTION] = functionAt;
    Atomics.store(this.#words, at + DEVICE_STATE, 1); // publishes the others to get's load
  }

  remove(device: number): void {
    Atomics.store(this.#words, this.#base + device * DEVICE_ROW_WORDS + DEVICE_STATE, 0);
  }

  /** @throws IommuError ENODEV there is no such device. */
  get(device: number): Required<VtdDevice> {
    const words = this.#words;
    const at = this.#base + device * DEVICE_ROW_WORDS;
    if (!(device >= 1 && device < this.#rows) || Atomics.load(words, at + DEVICE_STATE) !== 1)
      throw new IommuError('ENODEV', 'VtdIommufdDriver', 'device', device, 'there is no such device');
    return {
      device,
      rid: words[at + DEVICE_RID],
      group: words[at + DEVICE_GROUP],
      pasidsLog2: words[at + DEVICE_PASIDS],
      functionAt: words[at + DEVICE_FUNCTION],
    };
  }

  /** The device of a requester id, 0: none. */
  byRid(rid: number): number {
    const words = this.#words;
    for (let device = 1; device < this.#rows; device++) {
      const at = this.#base + device * DEVICE_ROW_WORDS;
      if (Atomics.load(words, at + DEVICE_STATE) === 1 && words[at + DEVICE_RID] === rid) return device;
    }
    return 0;
  }

  isBound(device: number): boolean {
    return this.#words[this.#base + device * DEVICE_ROW_WORDS + DEVICE_BOUND] === 1;
  }
  setBound(device: number, bound: boolean): void {
    this.#words[this.#base + device * DEVICE_ROW_WORDS + DEVICE_BOUND] = bound ? 1 : 0;
  }
}
