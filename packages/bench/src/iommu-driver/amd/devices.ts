import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import {
  AMD_DEVICES_REGION,
  DEVICE_FUNCTION,
  DEVICE_GROUP,
  DEVICE_PASIDS,
  DEVICE_RID,
  DEVICE_ROW_WORDS,
  DEVICE_STATE,
} from './layout.ts';

/** A device behind the IOMMU. */
export interface AmdDevice {
  /** Its number, as in the core's device table. */
  readonly device: number;
  readonly rid: number;
  /** Default: one of its own, named by the device's number. */
  readonly group?: number;
  /** log2 of its PASIDs, at most 9. Default 0: none. */
  readonly pasidsLog2?: number;
  /** Word offset of its ATS and PRI registers (`initFunction`). Default: it has neither, and cannot fault. */
  readonly functionAt?: number;
}

/** The devices' rows, as a thread sees them. */
export class AmdDevices {
  readonly #words: Words;
  readonly #base: number;
  readonly #rows: number;

  constructor(arena: Arena) {
    this.#words = arena.words;
    this.#base = arena.base(AMD_DEVICES_REGION);
    this.#rows = Math.floor(arena.sizeWords(AMD_DEVICES_REGION) / DEVICE_ROW_WORDS);
  }

  add({ device, rid, group = device, pasidsLog2 = 0, functionAt = 0 }: AmdDevice): void {
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
  get(device: number): Required<AmdDevice> {
    const words = this.#words;
    const at = this.#base + device * DEVICE_ROW_WORDS;
    if (!(device >= 1 && device < this.#rows) || Atomics.load(words, at + DEVICE_STATE) !== 1)
      throw new IommuError('ENODEV', 'AmdIommufdDriver', 'device', device, 'there is no such device');
    return {
      device,
      rid: words[at + DEVICE_RID],
      group: words[at + DEVICE_GROUP],
      pasidsLog2: words[at + DEVICE_PASIDS],
      functionAt: words[at + DEVICE_FUNCTION],
    };
  }
}
