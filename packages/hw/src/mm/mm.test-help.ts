// Shared by this folder's tests: address spaces over fresh memory, and a handler that does what the fault path does.
import { LINE, type Words } from '@faultline/core/sync';
import { initMm, type MmConfig, mmWords } from './layout.ts';
import { Mm, type MmOptions } from './mm.ts';
import { type Notifier, noNotifier } from './notifier.ts';

export const READ = 1;
export const WRITE = 2;
export const EXEC = 4;
export const BASE: number = LINE;

/** Memory with an address space at BASE whose frames hold anything but zeroes. */
export function memoryOf(config: MmConfig): Words {
  const words = new Int32Array(new SharedArrayBuffer((BASE + mmWords(config)) * 4));
  words.fill(0x5a5a5a5a);
  initMm(words, BASE, config);
  return words;
}

export function open(words: Words, id = 1, notifier: Notifier = noNotifier, options: MmOptions = {}): Mm {
  return new Mm(words, BASE, { id, spins: 0 }, notifier, options);
}

export function lo(page: number): number {
  return page | 0;
}
export function hi(page: number): number {
  return Math.floor(page / 2 ** 32);
}

/** Handles one fault as the SVA handler does. @returns whether the device is told to retry. */
export function fault(mm: Mm, page: number, perm: number, lease = false): boolean {
  mm.readLock();
  const area = mm.findArea(lo(page), hi(page));
  const wanted = perm & 7;
  const granted = area !== 0 && (wanted & ~mm.areaPerm(area)) === 0;
  const done = granted && mm.handleMmFault(area, lo(page), hi(page), perm, lease);
  mm.readUnlock();
  return done;
}

export function translate(mm: Mm, page: number, perm: number): boolean {
  return mm.translate(lo(page), hi(page), perm);
}

/** @returns the first word of the page's frame that is not `value`, or -1. */
export function firstOdd(words: Words, mm: Mm, page: number, value: number): number {
  const at = mm.frameAt(page);
  for (let word = 0; word < 1024; word++) if (words[at + word] !== value) return word;
  return -1;
}

/** What one worker of mm.threads.test.ts does. */
export interface Part {
  words: Words;
  id: number;
  seed: number;
  role: 'owner' | 'rival' | 'scanner' | 'mapper' | 'walker' | 'racer';
  start: number;
  pages: number;
  rounds: number;
}
/** Words of the test's own, before the address space. */
export const STOP = 1;
export const BARRIER = LINE - 2;
