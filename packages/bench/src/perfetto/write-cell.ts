import { setImmediate as turn } from 'node:timers/promises';
import { TRACE_FAULT, TRACE_KIND, TRACE_OBJECT } from '@faultline/core/trace';
import type { CellCounts, CellWriter } from './cell-writer.ts';
import { Merge } from './merge.ts';
import type { SpoolCursor } from './spool.ts';

/** Records between two looks at what else the thread has to do: a signal is heard. */
const BATCH = 20_000;

/** Writes a cell's records by time. @param cursors of ring 1, 2, … */
export async function writeCell(writer: CellWriter, cursors: readonly SpoolCursor[]): Promise<CellCounts> {
  const merge = new Merge(cursors);
  for (let left = BATCH; ; left--) {
    const head = merge.next();
    if (head === undefined) return writer.close();
    const { words, at } = head.cursor;
    writer.record(head.ring, head.tick, words[at + TRACE_KIND], words[at + TRACE_OBJECT], words[at + TRACE_FAULT]);
    if (left > 0) continue;
    left = BATCH;
    await turn();
  }
}
