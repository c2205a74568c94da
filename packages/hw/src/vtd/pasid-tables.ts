import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import {
  VTD_CONTEXT,
  VTD_DIRECTORIES,
  VTD_PASID_BITS,
  VTD_TABLE_COUNT,
  VTD_TABLES,
  VTD_TABLES_USED,
} from './layout.ts';
import {
  byteAddressHi,
  byteAddressLo,
  CONTEXT_DTE,
  CONTEXT_P,
  CONTEXT_PASIDE,
  CONTEXT_PDTS_SHIFT,
  CONTEXT_PRE,
  CONTEXT_WORDS,
  DIRECTORY_ENTRY_WORDS,
  DIRECTORY_P,
  encodePasidEntry,
  PASID_ENTRY_WORDS,
  PASID_P,
  PASIDS_PER_TABLE,
  PDTS_BASE_LG2,
  type Translation,
  wordOfAddress,
} from './tables.ts';
import { deviceEntryAt, directoryWords } from './unit.ts';

const TABLE_WORDS = PASIDS_PER_TABLE * PASID_ENTRY_WORDS;
const TABLE_PASIDS_LG2 = 6;

/** Software's hand on the context and PASID tables. Words of an entry are stored first, the word with its present bit last; the hardware
 * reads them the other way round. One thread at a time writes a requester's. What it takes away the hardware may go on using until it is invalidated. */
export class PasidTables {
  readonly #words: Words;
  readonly #base: number;
  readonly #scratch: Int32Array = new Int32Array(PASID_ENTRY_WORDS);

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
  }

  /** Lets the requester's traffic in: PASIDs on, page requests off. Requests without a PASID go by PASID 0.
   * @param deviceTlb it may ask for translations and keep them. @throws IommuError ENODEV outside the table */
  writeContext(rid: number, deviceTlb: boolean = true): void {
    const words = this.#words;
    const at = this.#contextAt(rid);
    const bits = words[this.#base + VTD_PASID_BITS];
    const directory = this.#directoryAt(rid);
    for (let i = 1; i < CONTEXT_WORDS; i++) words[at + i] = 0;
    words[at + 1] = byteAddressHi(directory);
    const pdts = (bits - TABLE_PASIDS_LG2 - PDTS_BASE_LG2) << CONTEXT_PDTS_SHIFT;
    const dte = deviceTlb ? CONTEXT_DTE : 0;
    Atomics.store(words, at, byteAddressLo(directory) | pdts | CONTEXT_P | dte | CONTEXT_PASIDE);
  }

  /** Whether the requester has a device-TLB, as its context entry says. @throws IommuError ENODEV outside the table */
  hasDeviceTlb(rid: number): boolean {
    return (Atomics.load(this.#words, this.#contextAt(rid)) & CONTEXT_DTE) !== 0;
  }

  /** Sets or clears PRE. @throws IommuError ENODEV outside the table */
  enablePageRequests(rid: number, on: boolean): void {
    const at = this.#contextAt(rid);
    if (on) Atomics.or(this.#words, at, CONTEXT_PRE);
    else Atomics.and(this.#words, at, ~CONTEXT_PRE);
  }

  /** @throws IommuError ENODEV outside the table */
  clearContext(rid: number): void {
    Atomics.store(this.#words, this.#contextAt(rid), 0);
  }

  /** @throws IommuError ENODEV outside the table, EINVAL for a PASID that the directory cannot hold, ENOSPC no PASID table is left,
   * EBUSY the entry is present */
  writePasid(rid: number, pasid: number, translation: Translation): void {
    const at = this.#pasidAt(rid, pasid, true);
    if ((Atomics.load(this.#words, at) & PASID_P) !== 0)
      throw new IommuError('EBUSY', 'writePasid', 'pasid', pasid, 'is attached already');
    this.#store(at, translation);
  }

  /** Puts another translation in the place of the present one, word 0 last. A device that translates meanwhile may meet a mix of both, as
   * with Linux's replacement, which writes word by word too. @throws IommuError ENOENT nothing is there */
  replacePasid(rid: number, pasid: number, translation: Translation): void {
    const at = this.#pasidAt(rid, pasid, false);
    if (at === 0 || (Atomics.load(this.#words, at) & PASID_P) === 0)
      throw new IommuError('ENOENT', 'replacePasid', 'pasid', pasid, 'nothing is attached there');
    this.#store(at, translation);
  }

  /** P = 0, if it is not already: the entry's other words stay until {@link clearPasid}. */
  unsetPasid(rid: number, pasid: number): void {
    const at = this.#pasidAt(rid, pasid, false);
    if (at !== 0) Atomics.and(this.#words, at, ~PASID_P);
  }

  /** Clears an entry whose P was cleared, and whose caches were invalidated. */
  clearPasid(rid: number, pasid: number): void {
    const at = this.#pasidAt(rid, pasid, false);
    if (at !== 0) this.#words.fill(0, at, at + PASID_ENTRY_WORDS);
  }

  #store(at: number, translation: Translation): void {
    encodePasidEntry(this.#scratch, 0, translation);
    for (let i = 1; i < PASID_ENTRY_WORDS; i++) this.#words[at + i] = this.#scratch[i];
    Atomics.store(this.#words, at, this.#scratch[0]);
  }

  /** @returns word offset of the entry; 0 when its table is not there and shall not be made. */
  #pasidAt(rid: number, pasid: number, make: boolean): number {
    const words = this.#words;
    const directory = this.#directoryAt(rid);
    checkInteger('PasidTables', 'pasid', pasid, 0, 2 ** words[this.#base + VTD_PASID_BITS] - 1);
    const entry = directory + Math.floor(pasid / PASIDS_PER_TABLE) * DIRECTORY_ENTRY_WORDS;
    let lo = words[entry];
    if ((lo & DIRECTORY_P) === 0) {
      if (!make) return 0;
      const table = this.#takeTable();
      words[entry + 1] = byteAddressHi(table);
      lo = byteAddressLo(table) | DIRECTORY_P;
      Atomics.store(words, entry, lo);
    }
    return wordOfAddress(lo & ~0xfff, words[entry + 1]) + (pasid % PASIDS_PER_TABLE) * PASID_ENTRY_WORDS;
  }

  #takeTable(): number {
    const count = this.#words[this.#base + VTD_TABLE_COUNT];
    const used = Atomics.add(this.#words, this.#base + VTD_TABLES_USED, 1);
    if (used >= count) {
      Atomics.sub(this.#words, this.#base + VTD_TABLES_USED, 1);
      throw new IommuError('ENOSPC', 'PasidTables', 'pasidTables', count, 'every PASID table is in use');
    }
    return this.#base + this.#words[this.#base + VTD_TABLES] + used * TABLE_WORDS;
  }

  #contextAt(rid: number): number {
    deviceEntryAt(this.#words, this.#base, rid);
    return this.#base + this.#words[this.#base + VTD_CONTEXT] + rid * CONTEXT_WORDS;
  }

  #directoryAt(rid: number): number {
    deviceEntryAt(this.#words, this.#base, rid);
    const size = directoryWords(this.#words[this.#base + VTD_PASID_BITS]);
    return this.#base + this.#words[this.#base + VTD_DIRECTORIES] + rid * size;
  }
}
