// Pages: memory that areas map. Each page is pinned once, however many areas, domains and accesses have it: by the first, until the last.
// Where a pinned page is, is remembered by the first domain that maps it, or by an access's pin record: user space may have put other
// memory at its address since.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock, refcountGet, refcountInit, refcountPut, type Words } from '@faultline/core/sync';
import { type Account, PAGE_BYTES, PIN_NO_MEMORY } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import type { Machine } from '../machine/index.ts';
import { highHalf, loadU64, lowHalf, storeU64 } from '../memory/index.ts';
import {
  AREA_BYTE,
  AREA_LAST,
  AREA_SIBLING,
  AREA_START,
  AREA_STORAGE,
  PAGES_ACCOUNT,
  PAGES_AREAS,
  PAGES_BYTE,
  PAGES_CHARGED,
  PAGES_FILE,
  PAGES_LOCK,
  PAGES_MM,
  PAGES_PINNED,
  PAGES_PINS,
  PAGES_REFS,
  PAGES_START,
  PAGES_WRITABLE,
  PIN_COUNT,
  PIN_NEXT,
  PIN_PAGE,
  PIN_PHYSICAL,
} from './layout.ts';

export { ACCOUNT_NONE, ACCOUNT_PROCESS, ACCOUNT_USER } from '../caller/index.ts';

const PAGE = BigInt(PAGE_BYTES);

/** In the place of a mappable file's number: of another kind of file, of which nothing can be pinned. */
export const NO_MEMORY_FILE = -1;

/** Where the bytes of a mapping come from. */
export interface PagesSource {
  /** A process's memory, or */
  readonly mm?: number;
  /** a mappable file, NO_MEMORY_FILE for another. */
  readonly file?: number;
  /** Address, or offset in the file. */
  readonly start: bigint;
}

/** How they are pinned. */
export interface PagesTerms {
  readonly writable: boolean;
  /** ACCOUNT_*: whose limit on locked memory holds. */
  readonly account: Account;
  /** Process that is charged for what is pinned. */
  readonly charged: number;
}

/** Makes a pages record with one reference. Nothing is pinned or read yet. @throws IommuError ENOMEM */
export function makePages(context: Context, call: string, source: PagesSource, terms: PagesTerms): number {
  const { machine, words } = context;
  const pages = machine.pools.pages.alloc(call);
  const at = machine.pools.pages.at(pages);
  const { mm = 0, file = 0, start } = source;
  words[at + PAGES_MM] = mm;
  words[at + PAGES_FILE] = file;
  const low = lowHalf(start);
  words[at + PAGES_START] = low & -PAGE_BYTES;
  words[at + PAGES_START + 1] = highHalf(start);
  words[at + PAGES_BYTE] = low & (PAGE_BYTES - 1);
  words[at + PAGES_WRITABLE] = terms.writable ? 1 : 0;
  words[at + PAGES_ACCOUNT] = terms.account;
  words[at + PAGES_CHARGED] = terms.charged;
  refcountInit(words, at + PAGES_REFS, 1);
  return pages;
}

export function getPages(machine: Machine, pages: number): void {
  refcountGet(machine.words, machine.pools.pages.at(pages) + PAGES_REFS);
}

/** The last reference frees the record: nothing is pinned by then. */
export function putPages(machine: Machine, pages: number): void {
  if (refcountPut(machine.words, machine.pools.pages.at(pages) + PAGES_REFS)) machine.pools.pages.free(pages);
}

/** Runs `body` with the pages' lock. */
export function withPages<T>(machine: Machine, pages: number, body: (at: number) => T): T {
  const at = machine.pools.pages.at(pages);
  mutexLock(machine.words, at + PAGES_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(machine.words, at + PAGES_LOCK, machine.self);
  }
}

/** First and last page of an area's bytes, in numbers: areas of more than 2^53 bytes are not pinned to their end. */
export function areaPages(words: Words, areaAt: number): { first: number; last: number } {
  const first = (words[areaAt + AREA_BYTE + 1] >>> 0) * 2 ** 20 + (words[areaAt + AREA_BYTE] >>> 12);
  const toLast = inFirstPage(words, areaAt) + areaBytes(words, areaAt) - 1;
  return { first, last: first + Math.floor(toLast / PAGE_BYTES) };
}

/** Where in its first page an area begins. */
export function inFirstPage(words: Words, areaAt: number): number {
  return words[areaAt + AREA_BYTE] & (PAGE_BYTES - 1);
}

/** Bytes of an area, exact up to 2^53. */
export function areaBytes(words: Words, areaAt: number): number {
  const high = (words[areaAt + AREA_LAST + 1] >>> 0) - (words[areaAt + AREA_START + 1] >>> 0);
  return high * 2 ** 32 + ((words[areaAt + AREA_LAST] >>> 0) - (words[areaAt + AREA_START] >>> 0)) + 1;
}

/** Physical address of a page that is pinned, -1 of one that is not. Context: the pages' lock. */
export function pinnedAt(machine: Machine, pagesAt: number, page: number): number {
  const { words, pools } = machine;
  for (let area = words[pagesAt + PAGES_AREAS]; area !== 0; area = words[pools.areas.at(area) + AREA_SIBLING]) {
    const at = pools.areas.at(area);
    const { first, last } = areaPages(words, at);
    if (page < first || page > last) continue;
    const start = loadU64(words, at + AREA_START);
    const skipped = inFirstPage(words, at);
    const domain = words[at + AREA_STORAGE];
    if (page === first) return machine.driver.iovaToPhys(domain, start) - skipped;
    return machine.driver.iovaToPhys(domain, start + BigInt((page - first) * PAGE_BYTES - skipped));
  }
  const pin = findPin(machine, pagesAt, page);
  return pin === 0 ? -1 : Number(loadU64(words, pools.pins.at(pin) + PIN_PHYSICAL));
}

/** Pins a page that nothing has pinned, and charges it. Context: the pages' lock. @throws IommuError EFAULT; EINVAL beyond a file's end, or no file in memory; ENOMEM */
export function pinPage(machine: Machine, call: string, pagesAt: number, page: number): number {
  const { words } = machine;
  const start = loadU64(words, pagesAt + PAGES_START);
  const place = page === 0 ? start : start + BigInt(page) * PAGE;
  const payer = machine.memoryOf(words[pagesAt + PAGES_CHARGED]);
  const account = words[pagesAt + PAGES_ACCOUNT] as Account;
  const mm = words[pagesAt + PAGES_MM];
  const file = words[pagesAt + PAGES_FILE];
  const field = mm === 0 ? 'start' : 'user_va';
  if (file === NO_MEMORY_FILE) throw new IommuError('EINVAL', call, field, place, 'is of a file that is not in memory');
  if (machine.fail.fails('pin')) throw new IommuError('ENOMEM', call, field, place, 'made to fail');
  if (!payer.charge(1, account))
    throw new IommuError('ENOMEM', call, field, place, 'beyond the limit on locked memory');
  const writable = words[pagesAt + PAGES_WRITABLE] === 1;
  const physical = mm !== 0 ? machine.memoryOf(mm).pin(place, writable) : machine.fileOf(file).pin(place, writable);
  if (physical >= 0) {
    words[pagesAt + PAGES_PINNED]++;
    return physical;
  }
  payer.uncharge(1, account);
  if (physical === PIN_NO_MEMORY) throw new IommuError('ENOMEM', call, field, place, 'no frame is left for a copy');
  if (mm === 0) throw new IommuError('EINVAL', call, field, place, 'is beyond the end of the file');
  throw new IommuError('EFAULT', call, field, place, 'no memory is there, or none that may be written');
}

/** Context: the pages' lock; nothing has the page any more. */
export function unpinPage(machine: Machine, pagesAt: number, physical: number): void {
  const { words } = machine;
  const mm = words[pagesAt + PAGES_MM];
  const source = mm !== 0 ? machine.memoryOf(mm) : machine.fileOf(words[pagesAt + PAGES_FILE]);
  source.unpin(physical);
  words[pagesAt + PAGES_PINNED]--;
  machine.memoryOf(words[pagesAt + PAGES_CHARGED]).uncharge(1, words[pagesAt + PAGES_ACCOUNT] as Account);
}

/** One more access has a page. Context: the pages' lock. @returns its physical address. @throws IommuError EFAULT, ENOMEM */
export function pinForAccess(machine: Machine, call: string, pagesAt: number, page: number): number {
  const { words, pools } = machine;
  const found = findPin(machine, pagesAt, page);
  if (found !== 0) {
    words[pools.pins.at(found) + PIN_COUNT]++;
    return Number(loadU64(words, pools.pins.at(found) + PIN_PHYSICAL));
  }
  const pin = pools.pins.alloc(call);
  let physical = pinnedAt(machine, pagesAt, page);
  if (physical < 0) {
    try {
      physical = pinPage(machine, call, pagesAt, page);
    } catch (error) {
      pools.pins.free(pin);
      throw error;
    }
  }
  const at = pools.pins.at(pin);
  words[at + PIN_PAGE] = page | 0;
  words[at + PIN_PAGE + 1] = Math.floor(page / 2 ** 32);
  words[at + PIN_COUNT] = 1;
  storeU64(words, at + PIN_PHYSICAL, BigInt(physical));
  words[at + PIN_NEXT] = words[pagesAt + PAGES_PINS];
  words[pagesAt + PAGES_PINS] = pin;
  return physical;
}

/** Context: the pages' lock. */
export function unpinForAccess(machine: Machine, pagesAt: number, page: number): void {
  const { words, pools } = machine;
  const pin = findPin(machine, pagesAt, page);
  const at = pools.pins.at(pin);
  if (--words[at + PIN_COUNT] > 0) return;
  let link = pagesAt + PAGES_PINS;
  while (words[link] !== pin) link = pools.pins.at(words[link]) + PIN_NEXT;
  words[link] = words[at + PIN_NEXT];
  const physical = Number(loadU64(words, at + PIN_PHYSICAL));
  pools.pins.free(pin);
  if (pinnedAt(machine, pagesAt, page) < 0) unpinPage(machine, pagesAt, physical);
}

function findPin(machine: Machine, pagesAt: number, page: number): number {
  const { words, pools } = machine;
  const low = page | 0;
  const high = Math.floor(page / 2 ** 32);
  let pin = words[pagesAt + PAGES_PINS];
  for (; pin !== 0; pin = words[pools.pins.at(pin) + PIN_NEXT]) {
    const at = pools.pins.at(pin);
    if (words[at + PIN_PAGE] === low && words[at + PIN_PAGE + 1] === high) break;
  }
  return pin;
}
