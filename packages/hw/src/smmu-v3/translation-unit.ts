import {
  armLpae,
  compareExchangeEntry,
  type Entries,
  FAULT_TRANSLATION,
  type Format,
  LEAF,
  peekEntry,
  seenHi,
  TABLE,
} from '../page-table/index.ts';
import type { FieldValues } from '../record/fields.ts';
import {
  CMD_TLBI_NH_ALL,
  CMD_TLBI_NH_ASID,
  CMD_TLBI_NH_VA,
  CMD_TLBI_NH_VAA,
  CMD_TLBI_NSNH_ALL,
  CMD_TLBI_S2_IPA,
  CMD_TLBI_S12_VMALL,
  commandAsid,
  commandVmid,
} from './commands.ts';
import { CR0_SMMUEN } from './registers.ts';
import { STE_CONFIG_NESTED, STE_CONFIG_S1, STE_CONFIG_S2 } from './ste.ts';
import { type GuestTables, ROUTE_BYPASS, type StreamCache } from './stream-cache.ts';

// The walker and its TLB: one or both stages, as the stream's entry and its context descriptor say. With both, descriptor and stage 1's tables are
// at intermediate addresses, in the memory that stage 2 leads to; else they are the host's. Tables of 4 KiB and TTB0 alone.
// What it translates it keeps until a TLBI names it; with both stages, by stage 1's page: TLBI_S2_IPA does not find that, as the architecture has it.
//
// Left out: other granules, TTB1, access flags that are not set, dirty marks in a guest's tables (HTTU is not offered to guests), device
// attributes, walk caches.

/** The access is to be posted as a fault: to a {@link StallPort}, by which the stream's configuration is judged as well. */
export const MISS = -1;
/** As {@link MISS}, of stage 2: with {@link TranslationUnit.ipaPage}. */
export const MISS_STAGE2 = -2;

/** What there is beside the SMMU's own words. */
export interface TranslationMemory {
  /** The host's page tables: what S2TTB and a host's TTB0 name is n << 12 for the table that begins at n * 512. */
  readonly tables: Entries;
  /** What translations lead to, from physical address 0 on; guests' tables, descriptors and command queues are in it. */
  readonly ram: Entries;
}

const STAGE1: Format = armLpae({ stage: 1 });
const STAGE2: Format = armLpae({ stage: 2 });
const PAGE_LG2 = 12;
const DBM_HI: number = 1 << 19;
const INDEX_LG2 = 9;
const SLOTS = 512;
const PAGE_SLOTS = 512;
const TLB_ENTRIES = 256;
/** Tags of a translation of stage 2 alone, and what is forgotten whatever the tag. */
const NO_ASID = -1;
const ANY_ASID = -2;
const ANYTHING = -3;
const ANY_VMID = -1;
const READ_RIGHT = 1;
const WRITE_RIGHT = 2;

/** Walks of one stage each. One instance, in the thread that plays the hardware. */
export class StageWalker implements GuestTables {
  readonly #memory: TranslationMemory;
  /** Log2 of the pages of the leaf that the last walk ended at. */
  leafLg2 = 0;
  /** The intermediate page of the table that {@link guest} could not read. */
  missed = 0;

  constructor(memory: TranslationMemory) {
    this.#memory = memory;
  }

  /** Reads `count` words, which do not cross a page. @returns false: stage 2 refuses, or leads to no memory. */
  read(ste: FieldValues, address: number, into: Int32Array, count: number): boolean {
    const page = this.stage2(ste, Math.floor(address / 2 ** PAGE_LG2), false);
    if (page < 0) return false;
    const at = page * PAGE_SLOTS + (address % 2 ** PAGE_LG2) / 8;
    if (at + count / 2 > this.#memory.ram.length) return false;
    for (let i = 0; i < count; i += 2) {
      into[i] = peekEntry(this.#memory.ram, at + i / 2);
      into[i + 1] = seenHi();
    }
    return true;
  }

  /** Where an intermediate page is. @returns FAULT_TRANSLATION: nowhere. */
  stage2(ste: FieldValues, page: number, write: boolean): number {
    if (ste.s2TG !== 0) return FAULT_TRANSLATION;
    return this.host(STAGE2, tableOf(ste.s2TTBHi, ste.s2TTBLo), ste.s2T0SZ, page, write, ste.s2HD === 1);
  }

  /** A walk of the host's tables. @param hd whether a write makes a leaf dirty that has DBM: without, its rights are what they are. */
  host(format: Format, root: number, t0sz: number, page: number, write: boolean, hd: boolean): number {
    const { tables } = this.#memory;
    if (page >= 2 ** (64 - t0sz - PAGE_LG2)) return FAULT_TRANSLATION;
    let table = root;
    for (let level = topLevel(t0sz); table >= 0; ) {
      const at = table * SLOTS + slotOf(page, level);
      if (at >= tables.length) break;
      const lo = peekEntry(tables, at);
      const hi = seenHi();
      const kind = format.kind(lo, hi, level);
      if (kind === TABLE) {
        table = format.tableNumber(lo, hi);
        level--;
        continue;
      }
      const rights = hd ? hi : hi & ~DBM_HI;
      if (kind !== LEAF || !format.allows(lo, rights, write)) break;
      const marked = hd ? format.marked(lo, hi, write) : lo;
      if (marked !== lo && !compareExchangeEntry(tables, at, lo, hi, marked, hi)) continue; // it has changed: look again
      return this.#leaf(format, lo, hi, level, page);
    }
    return FAULT_TRANSLATION;
  }

  /** A walk of a guest's tables. @returns an intermediate page, MISS, or MISS_STAGE2 with the page of the table that is nowhere in `missed`. */
  guest(ste: FieldValues, root: number, t0sz: number, page: number, write: boolean): number {
    const { ram } = this.#memory;
    if (page >= 2 ** (64 - t0sz - PAGE_LG2)) return MISS;
    let table = root;
    for (let level = topLevel(t0sz); ; level--) {
      const physical = this.stage2(ste, table, false);
      const at = physical * PAGE_SLOTS + slotOf(page, level);
      if (physical < 0 || at >= ram.length) {
        this.missed = table;
        return MISS_STAGE2;
      }
      const lo = peekEntry(ram, at);
      const hi = seenHi();
      const kind = STAGE1.kind(lo, hi, level);
      if (kind === TABLE) {
        table = STAGE1.leafPage(lo, hi, level);
        continue;
      }
      return kind === LEAF && STAGE1.allows(lo, hi & ~DBM_HI, write) ? this.#leaf(STAGE1, lo, hi, level, page) : MISS;
    }
  }

  #leaf(format: Format, lo: number, hi: number, level: number, page: number): number {
    this.leafLg2 = level * INDEX_LG2;
    const pages = 2 ** this.leafLg2;
    return Math.floor(format.leafPage(lo, hi, level) / pages) * pages + (page % pages);
  }
}

/** Context: the thread that plays the hardware. Never blocks. */
export class TranslationUnit {
  readonly #walker: StageWalker;
  readonly #streams: StreamCache;
  readonly #pages: Float64Array = new Float64Array(TLB_ENTRIES).fill(-1);
  readonly #outputs: Float64Array = new Float64Array(TLB_ENTRIES);
  readonly #vmids: Int32Array = new Int32Array(TLB_ENTRIES);
  readonly #asids: Int32Array = new Int32Array(TLB_ENTRIES);
  readonly #leaves: Uint8Array = new Uint8Array(TLB_ENTRIES); // log2 of the pages that one invalidation forgets
  readonly #rights: Uint8Array = new Uint8Array(TLB_ENTRIES);
  #enabled = false;
  /** The intermediate page of the last {@link MISS_STAGE2}. */
  ipaPage = 0;
  /** Translations found in the TLB, and walks. */
  hits = 0;
  walks = 0;

  constructor(walker: StageWalker, streams: StreamCache) {
    this.#walker = walker;
    this.#streams = streams;
  }

  enable(control: number): void {
    this.#enabled = (control & CR0_SMMUEN) !== 0;
  }

  /** Translates an access. `substreamId` -1: without. @returns the output page, MISS or MISS_STAGE2. */
  translate(streamId: number, substreamId: number, page: number, write: boolean): number {
    if (!this.#enabled) return MISS;
    const route = this.#streams.route(streamId, substreamId);
    if (route === ROUTE_BYPASS) return page;
    const ste = this.#streams.ste(streamId);
    const config = this.#streams.config(streamId);
    if (ste === undefined || config < STE_CONFIG_S1) return MISS;
    const isStage2 = config === STE_CONFIG_S2 || this.#streams.skipsStage1(streamId, substreamId);
    const cd = isStage2 ? undefined : this.#streams.context(streamId, Math.max(0, substreamId));
    if (!isStage2 && cd === undefined) return MISS;
    const vmid = config === STE_CONFIG_S1 ? 0 : ste.s2VMID;
    const asid = cd === undefined ? NO_ASID : cd.asid;
    const slot = (page + (asid + 1) * 31 + vmid * 7) % TLB_ENTRIES;
    const right = write ? WRITE_RIGHT : READ_RIGHT;
    if (this.#pages[slot] === page && this.#vmids[slot] === vmid && this.#asids[slot] === asid)
      if ((this.#rights[slot] & right) !== 0) {
        this.hits++;
        return this.#outputs[slot];
      }
    this.walks++;
    const output = this.#walk(ste, cd, config, page, write);
    if (output < 0) return output;
    this.#pages[slot] = page;
    this.#outputs[slot] = output;
    this.#vmids[slot] = vmid;
    this.#asids[slot] = asid;
    this.#leaves[slot] = this.#walker.leafLg2;
    this.#rights[slot] = right;
    return output;
  }

  /** Obeys a TLBI command. Allocates nothing. */
  invalidate(record: Int32Array, at: number): void {
    const vmid = commandVmid(record, at);
    switch (record[at] & 0xff) {
      case CMD_TLBI_NSNH_ALL:
        this.#forget(ANY_VMID, ANYTHING, 0, Number.POSITIVE_INFINITY);
        break;
      case CMD_TLBI_S12_VMALL:
        this.#forget(vmid, ANYTHING, 0, Number.POSITIVE_INFINITY);
        break;
      case CMD_TLBI_NH_ALL:
        this.#forget(vmid, ANY_ASID, 0, Number.POSITIVE_INFINITY);
        break;
      case CMD_TLBI_NH_ASID:
        this.#forget(vmid, commandAsid(record, at), 0, Number.POSITIVE_INFINITY);
        break;
      case CMD_TLBI_NH_VA:
        this.#forgetRange(record, at, commandAsid(record, at));
        break;
      case CMD_TLBI_NH_VAA:
        this.#forgetRange(record, at, ANY_ASID);
        break;
      case CMD_TLBI_S2_IPA:
        this.#forgetRange(record, at, NO_ASID);
        break;
      default: // EL2's: there are no such translations
    }
  }

  #walk(ste: FieldValues, cd: FieldValues | undefined, config: number, page: number, write: boolean): number {
    const walker = this.#walker;
    if (cd === undefined) return this.#stage2(ste, page, write);
    if (cd.epd0 === 1 || cd.tg0 !== 0) return MISS;
    const root = tableOf(cd.ttb0Hi, cd.ttb0Lo);
    if (config !== STE_CONFIG_NESTED) return walker.host(STAGE1, root, cd.t0sz, page, write, cd.hd === 1);
    const ipa = walker.guest(ste, root, cd.t0sz, page, write);
    if (ipa === MISS_STAGE2) this.ipaPage = walker.missed;
    if (ipa < 0) return ipa;
    const leafLg2 = walker.leafLg2;
    const output = this.#stage2(ste, ipa, write);
    walker.leafLg2 = leafLg2;
    return output;
  }

  #stage2(ste: FieldValues, ipa: number, write: boolean): number {
    this.ipaPage = ipa;
    const output = this.#walker.stage2(ste, ipa, write);
    return output < 0 ? MISS_STAGE2 : output;
  }

  /** NUM and SCALE count only where TG says of which pages; without, it is one address. */
  #forgetRange(record: Int32Array, at: number, asid: number): void {
    const first = (record[at + 3] >>> 0) * 2 ** 20 + (record[at + 2] >>> PAGE_LG2);
    const isRange = ((record[at + 2] >>> 10) & 3) !== 0;
    const pages = isRange ? (((record[at] >>> 12) & 31) + 1) * 2 ** ((record[at] >>> 20) & 31) : 1;
    this.#forget(commandVmid(record, at), asid, first, first + pages - 1);
  }

  #forget(vmid: number, asid: number, first: number, last: number): void {
    for (let slot = 0; slot < TLB_ENTRIES; slot++) {
      if (this.#pages[slot] < 0 || (vmid !== ANY_VMID && this.#vmids[slot] !== vmid)) continue;
      const own = this.#asids[slot];
      if (asid !== ANYTHING && own !== asid && !(asid === ANY_ASID && own !== NO_ASID)) continue;
      const leaf = 2 ** this.#leaves[slot];
      const from = Math.floor(this.#pages[slot] / leaf) * leaf;
      if (from <= last && from + leaf > first) this.#pages[slot] = -1;
    }
  }
}

function tableOf(hi: number, lo: number): number {
  return hi * 2 ** 20 + (lo >>> PAGE_LG2);
}
function topLevel(t0sz: number): number {
  return Math.ceil((64 - t0sz - PAGE_LG2) / INDEX_LG2) - 1;
}
function slotOf(page: number, level: number): number {
  return Math.floor(page / 2 ** (level * INDEX_LG2)) % SLOTS;
}
