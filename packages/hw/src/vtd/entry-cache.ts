import type { Words } from '@faultline/core/sync';
import { reservedBits } from '../record/view.ts';
import { CONTEXT_DEVICE, INV_CONTEXT, INV_PASID_CACHE, PASID_CACHE_GLOBAL, PASID_CACHE_ONE } from './invalidations.ts';
import { VTD_CONTEXT, VTD_RIDS } from './layout.ts';
import {
  FAULT_CONTEXT_DTE_CLEAR,
  FAULT_CONTEXT_NOT_PRESENT,
  FAULT_CONTEXT_PASIDE_CLEAR,
  FAULT_CONTEXT_PRE_CLEAR,
  FAULT_CONTEXT_RESERVED,
  FAULT_DIRECTORY_ACCESS,
  FAULT_DIRECTORY_NOT_PRESENT,
  FAULT_DIRECTORY_RESERVED,
  FAULT_PASID_ACCESS,
  FAULT_PASID_ERE_CLEAR,
  FAULT_PASID_INVALID,
  FAULT_PASID_NOT_PRESENT,
  FAULT_PASID_RESERVED,
  FAULT_PASID_SRE_CLEAR,
  FAULT_PASID_TOO_LARGE,
  FAULT_RID_PASID,
} from './registers.ts';
import {
  CONTEXT_DTE,
  CONTEXT_FIELDS,
  CONTEXT_FPD,
  CONTEXT_P,
  CONTEXT_PASIDE,
  CONTEXT_PDTS_SHIFT,
  CONTEXT_PRE,
  CONTEXT_WORDS,
  DIRECTORY_ENTRY_WORDS,
  DIRECTORY_FPD,
  DIRECTORY_P,
  DIRECTORY_RESERVED,
  PASID_ENTRY_WORDS,
  PASID_ERE,
  PASID_FPD,
  PASID_P,
  PASID_RESERVED_0,
  PASID_RESERVED_2,
  PASID_RESERVED_4,
  PASID_SRE,
  PASIDS_PER_TABLE,
  PDTS_BASE_LG2,
  PGTT_MASK,
  PGTT_PASS_THROUGH,
  PGTT_SECOND_LEVEL,
  PGTT_SHIFT,
  wordOfAddress,
} from './tables.ts';

// What the hardware keeps of the context and PASID tables. Entries that are present are kept until they are invalidated, and entries that are
// not are never kept (CAP.CM = 0): a driver that forgets to invalidate goes on with the old entry, as it may on real hardware.

/** The request may be queued. */
export const TABLES_GOOD = 0;

const CONTEXT = 4; // flags, directory (two words), RID_PASID
const PASID = 5; // RID, PASID, w0, DID, w4
const PASID_SLOTS = 1024;
const EMPTY = -1;
const RID_MASK = 0xfff;
const CONTEXT_RESERVED = reservedBits(CONTEXT_FIELDS, CONTEXT_WORDS);

export class EntryCache {
  readonly #words: Words;
  readonly #table: number;
  readonly #rids: number;
  readonly #contexts: Int32Array;
  readonly #pasids: Int32Array = new Int32Array(PASID_SLOTS * PASID).fill(EMPTY);
  /** Whether what the last {@link check} refused goes into a fault record: not when an entry on the way has FPD, present or not. Only an
   * entry that cannot be read is always said. @see QEMU intel_iommu.c, vtd_qualified_faults */
  recorded = true;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#table = base + words[base + VTD_CONTEXT];
    this.#rids = words[base + VTD_RIDS];
    this.#contexts = new Int32Array(this.#rids * CONTEXT);
  }

  /** @param pasid the PASID, or -1: what RID_PASID names. @returns TABLES_GOOD, or the fault reason. */
  check(rid: number, pasid: number, execute: boolean, supervisor: boolean): number {
    this.recorded = true;
    if (rid >= this.#rids) return FAULT_CONTEXT_NOT_PRESENT;
    const at = rid * CONTEXT;
    if ((this.#contexts[at] & CONTEXT_P) === 0) {
      const reason = this.#loadContext(rid);
      if (reason !== TABLES_GOOD) return reason;
    }
    const flags = this.#contexts[at];
    this.recorded = (flags & CONTEXT_FPD) === 0;
    if ((flags & CONTEXT_DTE) === 0) return FAULT_CONTEXT_DTE_CLEAR; // before PRE: PRE without DTE is a programming fault
    if ((flags & CONTEXT_PRE) === 0) return FAULT_CONTEXT_PRE_CLEAR;
    if (pasid >= 0 && (flags & CONTEXT_PASIDE) === 0) return FAULT_CONTEXT_PASIDE_CLEAR;
    const target = pasid >= 0 ? pasid : this.#contexts[at + 3];
    const slot = ((target ^ ((rid & RID_MASK) << 4)) & (PASID_SLOTS - 1)) * PASID;
    if (this.#pasids[slot] !== rid || this.#pasids[slot + 1] !== target) {
      if (target >>> TABLE_LG2 >= directoryEntries(flags)) return pasid >= 0 ? FAULT_PASID_TOO_LARGE : FAULT_RID_PASID;
      const reason = this.#loadPasid(slot, rid, target);
      if (reason !== TABLES_GOOD) return reason;
    }
    return this.#judge(slot, execute, supervisor);
  }

  /** Takes the context-cache or PASID-cache invalidation at `at`; another one does nothing here. */
  invalidate(type: number, at: number): void {
    const words = this.#words;
    const granularity = (words[at] >>> 4) & 3;
    if (type === INV_CONTEXT) {
      const rid = granularity === CONTEXT_DEVICE ? words[at + 1] & 0xffff : -1; // context entries carry no domain: by domain is all
      this.#dropContexts(rid, (words[at + 1] >>> 16) & 3);
    } else if (type === INV_PASID_CACHE) {
      const did = granularity === PASID_CACHE_GLOBAL ? -1 : words[at] >>> 16;
      this.#dropPasids(did, granularity === PASID_CACHE_ONE ? words[at + 1] & 0xfffff : -1);
    }
  }

  /** Everything: translation was switched on or off. */
  clear(): void {
    this.#contexts.fill(0);
    this.#pasids.fill(EMPTY);
  }

  /** Context-cache invalidation: one requester, those that differ in the bits that FM leaves out, or (-1) all. */
  #dropContexts(rid: number, functionMask: number): void {
    if (rid < 0) {
      this.#contexts.fill(0);
      return;
    }
    const mask = (7 << (3 - functionMask)) & 7; // FM 1, 2, 3: bits 2, 2:1, 2:0 of the function number do not count
    for (let each = rid & ~7; each <= (rid | 7) && each < this.#rids; each++)
      if ((each & ~mask) === (rid & ~mask)) this.#contexts[each * CONTEXT] = 0;
  }

  /** PASID-cache invalidation: of one domain (or -1: all), of one PASID (or -1: all). */
  #dropPasids(did: number, pasid: number): void {
    for (let slot = 0; slot < PASID_SLOTS * PASID; slot += PASID)
      if ((did < 0 || this.#pasids[slot + 3] === did) && (pasid < 0 || this.#pasids[slot + 1] === pasid))
        this.#pasids[slot] = EMPTY;
  }

  /** The entry's present bit is read first and its other words after it, as the driver stores them in the opposite order. */
  #loadContext(rid: number): number {
    const words = this.#words;
    const at = rid * CONTEXT;
    const entry = this.#table + rid * CONTEXT_WORDS;
    const w0 = Atomics.load(words, entry); // pairs with PasidTables: other words, then the word with P
    this.recorded = (w0 & CONTEXT_FPD) === 0;
    if ((w0 & CONTEXT_P) === 0) return FAULT_CONTEXT_NOT_PRESENT;
    let reserved = w0 & CONTEXT_RESERVED[0];
    for (let i = 1; i < CONTEXT_WORDS; i++) reserved |= words[entry + i] & CONTEXT_RESERVED[i];
    if (reserved !== 0) return FAULT_CONTEXT_RESERVED;
    this.#contexts[at] = w0;
    this.#contexts[at + 1] = w0 & ~0xfff;
    this.#contexts[at + 2] = words[entry + 1];
    this.#contexts[at + 3] = words[entry + 2] & 0xfffff;
    return TABLES_GOOD;
  }

  /** The PASID is within the directory. */
  #loadPasid(slot: number, rid: number, pasid: number): number {
    const words = this.#words;
    const context = rid * CONTEXT;
    const directory = wordOfAddress(this.#contexts[context + 1], this.#contexts[context + 2]);
    const pointer = directory + (pasid >>> TABLE_LG2) * DIRECTORY_ENTRY_WORDS;
    if (!this.#readable(directory, pointer + DIRECTORY_ENTRY_WORDS)) return FAULT_DIRECTORY_ACCESS;
    const lo = Atomics.load(words, pointer); // pairs with PasidTables: high half, then the word with P
    this.recorded &&= (lo & DIRECTORY_FPD) === 0;
    if ((lo & DIRECTORY_P) === 0) return FAULT_DIRECTORY_NOT_PRESENT;
    if ((lo & DIRECTORY_RESERVED) !== 0) return FAULT_DIRECTORY_RESERVED;
    const table = wordOfAddress(lo & ~0xfff, words[pointer + 1]);
    const entry = table + (pasid % PASIDS_PER_TABLE) * PASID_ENTRY_WORDS;
    if (!this.#readable(table, entry + PASID_ENTRY_WORDS)) return FAULT_PASID_ACCESS;
    const w0 = Atomics.load(words, entry); // pairs with PasidTables: other words, then the word with P
    this.recorded &&= (w0 & PASID_FPD) === 0;
    if ((w0 & PASID_P) === 0) return FAULT_PASID_NOT_PRESENT;
    const w2 = words[entry + 2];
    const w4 = words[entry + 4];
    if (((w0 & PASID_RESERVED_0) | (w2 & PASID_RESERVED_2) | (w4 & PASID_RESERVED_4)) !== 0)
      return FAULT_PASID_RESERVED;
    this.#pasids[slot] = rid;
    this.#pasids[slot + 1] = pasid;
    this.#pasids[slot + 2] = w0;
    this.#pasids[slot + 3] = w2 & 0xffff;
    this.#pasids[slot + 4] = w4;
    return TABLES_GOOD;
  }

  /** Pass-through has no pages to ask for: that it is refused here, with this reason, is unverified. QEMU, too, refuses a request that meets
   * anything but first-level tables, without a fault record, and says that it is merely not done yet. */
  #judge(slot: number, execute: boolean, supervisor: boolean): number {
    const w0 = this.#pasids[slot + 2];
    this.recorded &&= (w0 & PASID_FPD) === 0;
    const type = (w0 & PGTT_MASK) >>> PGTT_SHIFT;
    if (type === 0 || type >= PGTT_PASS_THROUGH) return FAULT_PASID_INVALID;
    if (type !== PGTT_SECOND_LEVEL) {
      if (execute && (this.#pasids[slot + 4] & PASID_ERE) === 0) return FAULT_PASID_ERE_CLEAR;
      if (supervisor && (this.#pasids[slot + 4] & PASID_SRE) === 0) return FAULT_PASID_SRE_CLEAR;
    }
    return TABLES_GOOD;
  }

  #readable(base: number, end: number): boolean {
    if (base !== 0 && end <= this.#words.length) return true;
    this.recorded = true;
    return false;
  }
}

const TABLE_LG2 = 31 - Math.clz32(PASIDS_PER_TABLE);

function directoryEntries(contextFlags: number): number {
  return 1 << (((contextFlags >>> CONTEXT_PDTS_SHIFT) & 7) + PDTS_BASE_LG2);
}
