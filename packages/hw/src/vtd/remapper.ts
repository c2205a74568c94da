import type { Words } from '@faultline/core/sync';
import type { Entries } from '../page-table/entry.ts';
import { PAGE_LG2 } from '../page-table/format.ts';
import {
  FAULT_TRANSLATION,
  poolMemory,
  RootWalker,
  type TableMemory,
  vtdSecondStage,
  x86FirstStage,
} from '../page-table/index.ts';
import { IotlbWalk } from './iotlb.ts';
import { VTD_CONTEXT, VTD_RIDS } from './layout.ts';
import {
  CONTEXT_P,
  CONTEXT_PASIDE,
  CONTEXT_PDTS_SHIFT,
  CONTEXT_WORDS,
  DIRECTORY_ENTRY_WORDS,
  DIRECTORY_P,
  PASID_ENTRY_WORDS,
  PASID_FLPM_MASK,
  PASID_P,
  PASID_SSADE,
  PASIDS_PER_TABLE,
  PDTS_BASE_LG2,
  PGTT_FIRST_LEVEL,
  PGTT_MASK,
  PGTT_NESTED,
  PGTT_PASS_THROUGH,
  PGTT_SECOND_LEVEL,
  PGTT_SHIFT,
  wordOfAddress,
} from './tables.ts';

/** A guest's own tables lead nowhere: the second stage does not translate an address in them, or the one that they give. */
export const FAULT_SECOND_STAGE = -3;

const SLOTS = 512;
const KEPT = 64; // a power of two
const PASID_MASK = 0xfffff;

export interface RemapperConfig {
  /** This thread's number among those that walk, from 0. */
  readonly walker: number;
  /** Host's tables, by their numbers: addresses in pages, as PASID entries and tables give them. */
  readonly tables: Entries;
  /** Memory that output pages are in, by page number: guests' tables are found there. */
  readonly memory: Entries;
}

interface Kept {
  rid: number;
  pasid: number;
  page: number;
  output: number;
  write: boolean;
  did: number;
  generation: number;
}

/** Translates devices' accesses by the unit's tables: context, PASID directory and entry, then first stage, second stage, or both. Keeps
 * translations until an invalidation of their domain. One a thread. Not modelled: rights of tables' entries, supervisor and execute rights,
 * fault records of what is refused here.
 * @see VT-d 3.4, 3.6 to 3.9 */
export class Remapper {
  readonly #words: Words;
  readonly #base: number;
  readonly #iotlb: IotlbWalk;
  readonly #second: RootWalker;
  readonly #hostFirst: readonly RootWalker[]; // four levels, five levels
  readonly #guestFirst: readonly RootWalker[];
  readonly #kept: Kept[];
  // The PASID entry of the walk under way.
  #w0 = 0;
  #w4 = 0;
  #did = 0;
  #firstRoot = 0;
  #secondRoot = 0;
  /** Walks made, and accesses that found a translation kept. */
  walks = 0;
  hits = 0;

  /** @throws IommuError EINVAL no unit at `base`, or no such walker. */
  constructor(words: Words, base: number, config: RemapperConfig) {
    this.#words = words;
    this.#base = base;
    this.#iotlb = new IotlbWalk(words, base, config.walker);
    const host = poolMemory(config.tables, SLOTS);
    const guest: TableMemory = { entries: config.memory, tableAt: (page) => this.#guestTable(page) };
    this.#second = new RootWalker(vtdSecondStage(), host);
    this.#hostFirst = [4, 5].map((levels) => new RootWalker(x86FirstStage({ levels }), host));
    this.#guestFirst = [4, 5].map((levels) => new RootWalker(x86FirstStage({ levels }), guest));
    this.#kept = Array.from({ length: KEPT }, () => ({
      ...{ rid: -1, pasid: 0, page: 0, output: 0, write: false, did: 0, generation: 0 },
    }));
  }

  /** Translates one access, and runs `access` with the output page while no invalidation completes. @param pasid or -1: none.
   * @returns the output page, FAULT_TRANSLATION, FAULT_PERMISSION, FAULT_SECOND_STAGE. */
  access(rid: number, pasid: number, page: number, write: boolean, access?: (outputPage: number) => void): number {
    this.#iotlb.begin();
    try {
      const output = this.#translate(rid, pasid, page, write);
      if (output >= 0) access?.(output);
      return output;
    } finally {
      this.#iotlb.end();
    }
  }

  #translate(rid: number, pasid: number, page: number, write: boolean): number {
    const kept = this.#kept[(page ^ (rid << 3) ^ pasid ^ (write ? KEPT / 2 : 0)) & (KEPT - 1)];
    if (kept.rid === rid && kept.pasid === pasid && kept.page === page && kept.write === write)
      if (kept.generation === this.#iotlb.generation(kept.did)) {
        this.hits++;
        return kept.output;
      }
    this.walks++;
    if (!this.#findEntry(rid, pasid)) return FAULT_TRANSLATION;
    const generation = this.#iotlb.generation(this.#did);
    const output = this.#walk(page, write);
    if (output >= 0 && this.#iotlb.mayKeep())
      Object.assign(kept, { rid, pasid, page, output, write, did: this.#did, generation });
    return output;
  }

  #walk(page: number, write: boolean): number {
    const levels = (this.#w4 & PASID_FLPM_MASK) === 0 ? 0 : 1;
    switch ((this.#w0 & PGTT_MASK) >>> PGTT_SHIFT) {
      case PGTT_PASS_THROUGH:
        return page;
      case PGTT_SECOND_LEVEL:
        return this.#second.walk(this.#secondRoot, page, write, this.#marks);
      case PGTT_FIRST_LEVEL:
        return this.#hostFirst[levels].walk(this.#firstRoot, page, write, true);
      case PGTT_NESTED: {
        const guestPage = this.#guestFirst[levels].walk(this.#firstRoot, page, write, true);
        if (guestPage < 0) return guestPage;
        const output = this.#second.walk(this.#secondRoot, guestPage, write, this.#marks);
        return output < 0 ? FAULT_SECOND_STAGE : output;
      }
      default:
        return FAULT_TRANSLATION;
    }
  }

  get #marks(): boolean {
    return (this.#w0 & PASID_SSADE) !== 0;
  }

  /** Where a guest's table is. The accessed bits that are set in it are writes, which the second stage tracks. */
  #guestTable(page: number): number {
    const output = page < 0 ? -1 : this.#second.walk(this.#secondRoot, page, this.#marks, this.#marks);
    return output < 0 ? FAULT_SECOND_STAGE : output * SLOTS;
  }

  /** Words with present bits are read first, as PasidTables stores them last. */
  #findEntry(rid: number, pasid: number): boolean {
    const words = this.#words;
    if (rid >= words[this.#base + VTD_RIDS]) return false;
    const context = this.#base + words[this.#base + VTD_CONTEXT] + rid * CONTEXT_WORDS;
    const flags = Atomics.load(words, context);
    if ((flags & CONTEXT_P) === 0) return false;
    if (pasid >= 0 && (flags & CONTEXT_PASIDE) === 0) return false;
    const target = pasid >= 0 ? pasid : words[context + 2] & PASID_MASK;
    const tables = 1 << (((flags >>> CONTEXT_PDTS_SHIFT) & 7) + PDTS_BASE_LG2);
    const index = Math.floor(target / PASIDS_PER_TABLE);
    if (index >= tables) return false;
    const pointer = wordOfAddress(flags & ~0xfff, words[context + 1]) + index * DIRECTORY_ENTRY_WORDS;
    const lo = Atomics.load(words, pointer);
    if ((lo & DIRECTORY_P) === 0) return false;
    const table = wordOfAddress(lo & ~0xfff, words[pointer + 1]);
    const entry = table + (target % PASIDS_PER_TABLE) * PASID_ENTRY_WORDS;
    this.#w0 = Atomics.load(words, entry);
    if ((this.#w0 & PASID_P) === 0) return false;
    this.#did = words[entry + 2] & 0xffff;
    this.#w4 = words[entry + 4];
    this.#secondRoot = pageOf(this.#w0, words[entry + 1]);
    this.#firstRoot = pageOf(this.#w4, words[entry + 5]);
    return true;
  }
}

function pageOf(lo: number, hi: number): number {
  return (hi >>> 0) * 2 ** (32 - PAGE_LG2) + (lo >>> PAGE_LG2);
}
