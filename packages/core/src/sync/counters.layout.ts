// One bank's shared words: a header, a line an object, then (split only) a row a thread.
import { defineLayout, type Layout } from '../memory/layout.ts';
import { alignLine } from '../memory/region.ts';
import { LINE } from './thread-self.ts';

export const OBJECTS = 0;
export const THREADS = 1;
export const MODE = 2;
export const MODE_SHARED = 1;
export const MODE_SPLIT = 2;

/** Object i's line is at OBJECT_LINES + i * LINE. */
export const OBJECT_LINES: number = LINE;
export const COUNT = 0; // shared: the count. split: unused
export const DRAINING = 1; // how many wait for zero
export const WAKE = 2; // changed by each sub while somebody waits

/** Word offset of thread 1's row; the next thread's is rowWords(objects) on. */
export function rowsOffset(objects: number): number {
  return OBJECT_LINES + (objects + 1) * LINE;
}
export function rowWords(objects: number): number {
  return alignLine(objects + 1);
}

/** A split bank, as a table. A shared one ends before ROWS. */
export function counterBankLayout(objects: number, threads: number): Layout {
  const anyone = 'any thread, atomically';
  return defineLayout('counter bank', [
    { name: 'OBJECTS', offset: 0, width: 1, unit: 'highest object', writer: 'init' },
    { name: 'THREADS', offset: 1, width: 1, unit: 'highest thread', writer: 'init' },
    { name: 'MODE', offset: 2, width: 1, unit: '1 shared, 2 split', writer: 'init' },
    { name: 'OBJECT_LINES', offset: 32, width: (objects + 1) * 32, unit: 'COUNT, DRAINING, WAKE', writer: anyone },
    {
      name: 'ROWS',
      offset: rowsOffset(objects),
      width: threads * rowWords(objects),
      unit: 'counts',
      writer: 'one thread a row',
    },
  ]);
}
