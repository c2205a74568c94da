// What the readers of the fault file did: a line a reader, its only writer; read when all have left the cell.
import type { Arena } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';
import type { FaultFileFigures } from '../../result/schema.ts';

export const READERS_REGION = 'readers';
export const READS = 0; // calls that delivered something
export const GROUPS = 1; // groups delivered
export const WRITES = 2; // calls
export const REFUSED = 3; // answers refused: the group had been answered for its reader

export function readersWords(readers: number): number {
  return readers * LINE;
}

export function initReaders(arena: Arena): void {
  const base = arena.base(READERS_REGION);
  arena.words.fill(0, base, base + arena.sizeWords(READERS_REGION));
}

/** Word offset of a reader's row. @param reader from 0. */
export function readerRow(arena: Arena, reader: number): number {
  return arena.base(READERS_REGION) + reader * LINE;
}

/** Context: all threads have left the cell. */
export function readFaultFile(arena: Arena): FaultFileFigures {
  const base = arena.base(READERS_REGION);
  const sum = (field: number): number => {
    let total = 0;
    for (let row = base; row < base + arena.sizeWords(READERS_REGION); row += LINE)
      total += arena.words[row + field] >>> 0;
    return total;
  };
  return { reads: sum(READS), groups: sum(GROUPS), writes: sum(WRITES), refused: sum(REFUSED) };
}
