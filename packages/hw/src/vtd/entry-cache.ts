import type { Words } from '@faultline/core/sync';
import { VTD_CONTEXT, VTD_RIDS } from './layout.ts';
import {
  FAULT_CONTEXT_DTE_CLEAR,
  FAULT_CONTEXT_NOT_PRESENT,
  FAULT_CONTEXT_PASIDE_CLEAR,
  FAULT_CONTEXT_PRE_CLEAR,
  FAULT_DIRECTORY_ACCESS,
  FAULT_DIRECTORY_NOT_PRESENT,
  FAULT_PASID_ACCESS,
  FAULT_PASID_ERE_CLEAR,
  FAULT_PASID_INVALID,
  FAULT_PASID_NOT_PRESENT,
  FAULT_PASID_SRE_CLEAR,
  FAULT_PASID_TOO_LARGE,
} from './registers.ts';
import {
  CONTEXT_DTE,
  CONTEXT_FPD,
  CONTEXT_P,
  CONTEXT_PASIDE,
  CONTEXT_PDTS_SHIFT,
  CONTEXT_PRE,
  CONTEXT_WORDS,
  DIRECTORY_ENTRY_WORDS,
  DIRECTORY_P,
  PASID_ENTRY_WORDS,
  PASID_ERE,
  PASID_FPD,
  PASID_P,
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

export class EntryCache {
  readonly #words: Words;
  readonly #table: number;
  readonly #rids: number;
  readonly #contexts: Int32Array;
  readonly #pasids: Int32Array = new Int32Array(PASID_SLOTS * PASID).fill(EMPTY);
  /** Whether the last {@link check} that refused may be said in a fault record: neither entry read had FPD. */
  qualified = true;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#table = base + words[base + VTD_CONTEXT];
    this.#rids = words[base + VTD_RIDS];
    this.#contexts = new Int32Array(this.#rids * CONTEXT);
  }

  /** @param pasid the PASID, or -1: what RID_PASID names. @returns TABLES_GOOD, or the fault reason. */
  check(rid: number, pasid: number, execute: boolean, supervisor: boolean): number {
    this.qualified = true;
    if (rid >= this.#rids || !this.#loadContext(rid)) return FAULT_CONTEXT_NOT_PRESENT;
    const at = rid * CONTEXT;
    const flags = this.#contexts[at];
    this.qualified = (flags & CONTEXT_FPD) === 0;
    if ((flags & CONTEXT_DTE) === 0) return FAULT_CONTEXT_DTE_CLEAR; // before PRE: PRE without DTE is a programming fault
    if ((flags & CONTEXT_PRE) === 0) return FAULT_CONTEXT_PRE_CLEAR;
    if (pasid >= 0 && (flags & CONTEXT_PASIDE) === 0) return FAULT_CONTEXT_PASIDE_CLEAR;
    const target = pasid >= 0 ? pasid : this.#contexts[at + 3];
    const slot = ((target ^ ((rid & RID_MASK) << 4)) & (PASID_SLOTS - 1)) * PASID;
    if (this.#pasids[slot] !== rid || this.#pasids[slot + 1] !== target) {
      const reason = this.#loadPasid(slot, rid, target);
      if (reason !== TABLES_GOOD) return reason;
    }
    return this.#judge(slot, execute, supervisor);
  }

  /** Context-cache invalidation: one requester, those that differ in the bits that FM leaves out, or (-1) all. */
  dropContexts(rid: number, functionMask: number): void {
    if (rid < 0) {
      this.#contexts.fill(0);
      return;
    }
    const mask = (7 << (3 - functionMask)) & 7; // FM 1, 2, 3: bits 2, 2:1, 2:0 of the function number do not count
    for (let each = rid & ~7; each <= (rid | 7) && each < this.#rids; each++)
      if ((each & ~mask) === (rid & ~mask)) this.#contexts[each * CONTEXT] = 0;
  }

  /** PASID-cache invalidation: of one domain (or -1: all), of one PASID (or -1: all). */
  dropPasids(did: number, pasid: number): void {
    for (let slot = 0; slot < PASID_SLOTS * PASID; slot += PASID)
      if ((did < 0 || this.#pasids[slot + 3] === did) && (pasid < 0 || this.#pasids[slot + 1] === pasid))
        this.#pasids[slot] = EMPTY;
  }

  /** Everything: translation was switched on or off. */
  clear(): void {
    this.#contexts.fill(0);
    this.#pasids.fill(EMPTY);
  }

  /** The entry's present bit is read first and its other words after it, as the driver stores them in the opposite order. */
  #loadContext(rid: number): boolean {
    const at = rid * CONTEXT;
    if ((this.#contexts[at] & CONTEXT_P) !== 0) return true;
    const words = this.#words;
    const entry = this.#table + rid * CONTEXT_WORDS;
    const w0 = Atomics.load(words, entry); // pairs with PasidTables: other words, then the word with P
    if ((w0 & CONTEXT_P) === 0) return false;
    this.#contexts[at] = w0;
    this.#contexts[at + 1] = w0 & ~0xfff;
    this.#contexts[at + 2] = words[entry + 1];
    this.#contexts[at + 3] = words[entry + 2] & 0xfffff;
    return true;
  }

  #loadPasid(slot: number, rid: number, pasid: number): number {
    const words = this.#words;
    const context = rid * CONTEXT;
    const entries = 1 << (((this.#contexts[context] >>> CONTEXT_PDTS_SHIFT) & 7) + PDTS_BASE_LG2);
    const index = Math.floor(pasid / PASIDS_PER_TABLE);
    if (index >= entries) return FAULT_PASID_TOO_LARGE;
    const directory = wordOfAddress(this.#contexts[context + 1], this.#contexts[context + 2]);
    const pointer = directory + index * DIRECTORY_ENTRY_WORDS;
    if (!this.#readable(directory, pointer + DIRECTORY_ENTRY_WORDS)) return FAULT_DIRECTORY_ACCESS;
    const lo = Atomics.load(words, pointer); // pairs with PasidTables: high half, then the word with P
    if ((lo & DIRECTORY_P) === 0) return FAULT_DIRECTORY_NOT_PRESENT;
    const table = wordOfAddress(lo & ~0xfff, words[pointer + 1]);
    const entry = table + (pasid % PASIDS_PER_TABLE) * PASID_ENTRY_WORDS;
    if (!this.#readable(table, entry + PASID_ENTRY_WORDS)) return FAULT_PASID_ACCESS;
    const w0 = Atomics.load(words, entry); // pairs with PasidTables: other words, then the word with P
    if ((w0 & PASID_P) === 0) {
      this.qualified &&= (w0 & PASID_FPD) === 0;
      return FAULT_PASID_NOT_PRESENT;
    }
    this.#pasids[slot] = rid;
    this.#pasids[slot + 1] = pasid;
    this.#pasids[slot + 2] = w0;
    this.#pasids[slot + 3] = words[entry + 2] & 0xffff;
    this.#pasids[slot + 4] = words[entry + 4];
    return TABLES_GOOD;
  }

  /** Pass-through has no pages to ask for: that it is refused here, with this reason, is unverified. */
  #judge(slot: number, execute: boolean, supervisor: boolean): number {
    const w0 = this.#pasids[slot + 2];
    this.qualified &&= (w0 & PASID_FPD) === 0;
    const type = (w0 & PGTT_MASK) >>> PGTT_SHIFT;
    if (type === 0 || type >= PGTT_PASS_THROUGH) return FAULT_PASID_INVALID;
    if (type !== PGTT_SECOND_LEVEL) {
      if (execute && (this.#pasids[slot + 4] & PASID_ERE) === 0) return FAULT_PASID_ERE_CLEAR;
      if (supervisor && (this.#pasids[slot + 4] & PASID_SRE) === 0) return FAULT_PASID_SRE_CLEAR;
    }
    return TABLES_GOOD;
  }

  #readable(base: number, end: number): boolean {
    return base !== 0 && end <= this.#words.length;
  }
}
