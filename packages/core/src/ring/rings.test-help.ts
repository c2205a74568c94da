// Rings for tests, in words of their own, with their indices set to where a test wants to begin.
import { LINE, type Words } from '../sync/thread-self.ts';
import { initMpmc, MPMC_CONS, MPMC_PROD, MPMC_SLOTS, mpmcWords } from './mpmc.layout.ts';
import { initMpsc, MPSC_CONS, MPSC_PROD, MPSC_SLOTS, mpscStride, mpscWords } from './mpsc.layout.ts';
import { initSpmc, SPMC_CONS, SPMC_PROD, spmcWords } from './spmc.layout.ts';
import { initSpsc, SPSC_CONS, SPSC_PROD, spscWords } from './spsc.layout.ts';

export const BASE: number = LINE;

/** Indices to begin at: the plain start, and just before the sign and the whole word wrap. */
export const STARTS: readonly number[] = [0, 2 ** 31 - 3, -3];

export function sharedWords(words: number): Words {
  return new Int32Array(new SharedArrayBuffer((BASE + words) * 4));
}

export function spscAt(start: number, capacity: number, slotWords: number): Words {
  const words = sharedWords(spscWords(capacity, slotWords));
  initSpsc(words, BASE, capacity, slotWords);
  words[BASE + SPSC_PROD] = start;
  words[BASE + SPSC_CONS] = start;
  return words;
}

export function spmcAt(start: number, capacity: number): Words {
  const words = sharedWords(spmcWords(capacity));
  initSpmc(words, BASE, capacity);
  words[BASE + SPMC_PROD] = start;
  words[BASE + SPMC_CONS] = start;
  return words;
}

export function mpscAt(start: number, capacity: number, slotWords: number): Words {
  const words = sharedWords(mpscWords(capacity, slotWords));
  initMpsc(words, BASE, capacity, slotWords);
  words[BASE + MPSC_PROD] = start;
  words[BASE + MPSC_CONS] = start;
  for (let p = start; p < start + capacity; p++)
    words[BASE + MPSC_SLOTS + (p & (capacity - 1)) * mpscStride(slotWords)] = p + 1 - capacity;
  return words;
}

export function mpmcAt(start: number, capacity: number): Words {
  const words = sharedWords(mpmcWords(capacity));
  initMpmc(words, BASE, capacity);
  words[BASE + MPMC_PROD] = start;
  words[BASE + MPMC_CONS] = start;
  for (let p = start; p < start + capacity; p++) words[BASE + MPMC_SLOTS + (p & (capacity - 1)) * 2] = p;
  return words;
}
