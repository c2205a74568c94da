// Where an address space's words stand. The first line is written before sharing and only read from then on.
//
//   what      place           writer
//   header    first line      initMm
//   USERS     a line          any thread (refcount)
//   SEQ       a line          who holds the mmap lock exclusively; COUNT, TAGS and the area table with it
//   mmap lock its own lines   core's rwlock
//   books     a line a thread that thread
//   areas     AREA_WORDS each under SEQ
//   PTEs      a word a page   by compare-exchange: pte.ts
//   frames    4 KiB a page    the populating handler, then whoever the page is mapped for
import { checkInteger, IommuError } from '@faultline/core/errors';
import { initRwlock, LINE, refcountInit, rwlockWords, type Words } from '@faultline/core/sync';

/** Words of a 4 KiB page. */
export const FRAME_WORDS = 1024;
/** IOVAs have 64 bits, hence page numbers 52: exact in a number. */
export const MAX_PAGE: number = 2 ** 52;

export const MM_FRAMES = 0; // pages of backing memory
export const MM_AREAS = 1; // areas that fit
export const MM_THREADS = 2; // threads that may open it
export const MM_BOOKS_AT = 3; // word offsets, from here on
export const MM_AREAS_AT = 4;
export const MM_PTES_AT = 5;
export const MM_FRAMES_AT = 6;
export const MM_USERS: number = LINE;
export const MM_SEQ: number = 2 * LINE; // area table's generation: odd while it is being changed
export const MM_COUNT: number = MM_SEQ + 1; // areas
export const MM_TAGS: number = MM_SEQ + 2; // areas ever added: the last one's tag
export const MM_LOCK: number = 3 * LINE;

export const AREA_START_LO = 0; // first page, bits 31:0
export const AREA_START_HI = 1; // first page, bits 51:32
export const AREA_PAGES = 2;
export const AREA_PERM = 3; // FAULT_PERM_READ | _WRITE | _EXEC
export const AREA_FRAME = 4; // first page's frame; the rest follow. PTE and frame of a page have the same index
export const AREA_TAG = 5; // in the PTEs of its pages
export const AREA_WORDS = 8;

export interface MmConfig {
  /** Pages of backing memory: what all areas together can hold. */
  readonly frames: number;
  /** Areas that exist at once. */
  readonly areas: number;
  /** Highest id of a thread that opens the address space. */
  readonly threads: number;
}

function lines(words: number): number {
  return Math.ceil(words / LINE) * LINE;
}

function check(call: string, config: MmConfig): void {
  checkInteger(call, 'frames', config.frames, 1, 2 ** 20);
  checkInteger(call, 'areas', config.areas, 1, 65535);
  checkInteger(call, 'threads', config.threads, 1, 32767);
}

/** Words an address space needs. @throws IommuError EINVAL naming the field. */
export function mmWords(config: MmConfig): number {
  check('mmWords', config);
  const { frames, areas, threads } = config;
  const tables = MM_LOCK + rwlockWords() + (threads + 1) * LINE + lines(areas * AREA_WORDS) + lines(frames);
  return tables + FRAME_WORDS + frames * FRAME_WORDS; // one more, as frames begin at a page's boundary
}

/** Lays out an empty address space with one user, before it is shared.
 * @throws IommuError EINVAL names the field that is out of range. */
export function initMm(words: Words, base: number, config: MmConfig): void {
  const call = 'initMm';
  check(call, config);
  const size = mmWords(config);
  if (!Number.isInteger(base) || base % LINE !== 0 || base < LINE || base + size > words.length)
    throw new IommuError('EINVAL', call, 'base', base, `must be a multiple of ${LINE} with ${size} words after it`);
  const books = base + MM_LOCK + rwlockWords();
  const areas = books + (config.threads + 1) * LINE;
  const ptes = areas + lines(config.areas * AREA_WORDS);
  const frames = Math.ceil((ptes + lines(config.frames)) / FRAME_WORDS) * FRAME_WORDS;
  words.fill(0, base, frames); // not the frames: populate zeroes them, and untouched ones take no memory
  words[base + MM_FRAMES] = config.frames;
  words[base + MM_AREAS] = config.areas;
  words[base + MM_THREADS] = config.threads;
  words[base + MM_BOOKS_AT] = books;
  words[base + MM_AREAS_AT] = areas;
  words[base + MM_PTES_AT] = ptes;
  words[base + MM_FRAMES_AT] = frames;
  refcountInit(words, base + MM_USERS, 1);
  initRwlock(words, base + MM_LOCK);
}
