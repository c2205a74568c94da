import Table from 'cli-table3';
import { formatNs } from '../../report/format.ts';
import { formatGoal, type Goal } from '../goals.ts';
import { CHARS, STYLE, times } from '../tables.ts';
import type { RecordRow } from './measure.ts';

const GOAL: Goal = { most: 15 };

/** Each queue's record beside the same one through objects. */
export function renderRecords(rows: readonly RecordRow[]): string {
  const table = new Table({
    head: ['one thread, a queue record', '', 'median', '5 % … 95 %', 'goal', 'heap', 'as objects', 'beside', 'heap'],
    colAligns: ['left', 'left', 'right', 'right', 'left', 'right', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  for (const row of rows.filter(({ codec }) => codec === 'words')) {
    const { family, name, direction, median, min, max, bytesPerRecord } = row;
    const objects = rows.find(
      (each) =>
        each.codec === 'objects' && each.family === family && each.name === name && each.direction === direction,
    );
    if (objects === undefined) throw new Error(`renderRecords: no objects of ${family} ${name}`);
    table.push([
      direction === 'encode' ? `${family} ${name}` : '',
      direction,
      formatNs(median),
      `${formatNs(min)} … ${formatNs(max)}`,
      formatGoal(GOAL, median, formatNs),
      formatHeap(bytesPerRecord),
      formatNs(objects.median),
      times(objects.median / median),
      formatHeap(objects.bytesPerRecord),
    ]);
  }
  return table.toString();
}

function formatHeap(bytes: number): string {
  return `${bytes < 0.05 ? 0 : Number(bytes.toPrecision(2))} B`;
}
