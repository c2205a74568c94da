import { IommuError } from '@faultline/core/errors';
import { type Arena, alignLine, type RegionSpec } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import {
  REQUESTER_BOUND,
  REQUESTER_FUNCTION,
  REQUESTER_GROUP,
  REQUESTER_PASIDS,
  REQUESTER_RID,
  REQUESTER_STATE,
  REQUESTER_WORDS,
  REQUESTERS_REGION,
} from './layout.ts';

/** @param devices the highest number of one. */
export function requestersRegion(devices: number): RegionSpec {
  return { name: REQUESTERS_REGION, words: alignLine((devices + 1) * REQUESTER_WORDS) };
}

/** A device behind the IOMMU, as a PCIe family knows it. */
export interface Requester {
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
export class Requesters {
  readonly #words: Words;
  readonly #base: number;
  readonly #rows: number;

  constructor(arena: Arena) {
    this.#words = arena.words;
    this.#base = arena.base(REQUESTERS_REGION);
    this.#rows = Math.floor(arena.sizeWords(REQUESTERS_REGION) / REQUESTER_WORDS);
  }

  add({ device, rid, group = device, pasidsLog2 = 0, functionAt = 0 }: Requester): void {
    const at = this.#base + device * REQUESTER_WORDS;
    this.#words[at + REQUESTER_RID] = rid;
    this.#words[at + REQUESTER_GROUP] = group;
    this.#words[at + REQUESTER_PASIDS] = pasidsLog2;
    this.#words[at + REQUESTER_FUNCTION] = functionAt;
    Atomics.store(this.#words, at + REQUESTER_STATE, 1); // publishes the others to the loads of get and byRid
  }

  remove(device: number): void {
    Atomics.store(this.#words, this.#base + device * REQUESTER_WORDS + REQUESTER_STATE, 0);
  }

  /** @throws IommuError ENODEV there is no such device. */
  get(device: number): Required<Requester> {
    const words = this.#words;
    const at = this.#base + device * REQUESTER_WORDS;
    if (!(device >= 1 && device < this.#rows) || Atomics.load(words, at + REQUESTER_STATE) !== 1)
      throw new IommuError('ENODEV', 'Requesters', 'device', device, 'there is no such device');
    return {
      device,
      rid: words[at + REQUESTER_RID],
      group: words[at + REQUESTER_GROUP],
      pasidsLog2: words[at + REQUESTER_PASIDS],
      functionAt: words[at + REQUESTER_FUNCTION],
    };
  }

  /** The device of a requester id, 0: none. */
  byRid(rid: number): number {
    const words = this.#words;
    for (let device = 1; device < this.#rows; device++) {
      const at = this.#base + device * REQUESTER_WORDS;
      if (Atomics.load(words, at + REQUESTER_STATE) === 1 && words[at + REQUESTER_RID] === rid) return device;
    }
    return 0;
  }

  isBound(device: number): boolean {
    return this.#words[this.#base + device * REQUESTER_WORDS + REQUESTER_BOUND] === 1;
  }
  setBound(device: number, bound: boolean): void {
    this.#words[this.#base + device * REQUESTER_WORDS + REQUESTER_BOUND] = bound ? 1 : 0;
  }
}
