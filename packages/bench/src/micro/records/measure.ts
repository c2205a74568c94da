import { measureApart } from '../costs/apart.ts';
import type { Figures } from '../figures.ts';
import { CODECS, type Codec, recordSubjectName } from './costs.ts';
import { RECORDS } from './index.ts';
import type { QueueRecord } from './record.ts';

export type Direction = 'encode' | 'decode';

/** Nanoseconds of one record, and what it takes from the heap. */
export interface RecordRow extends Figures {
  readonly family: string;
  readonly name: string;
  readonly codec: Codec;
  readonly direction: Direction;
  readonly bytesPerRecord: number;
}

export interface RecordOptions {
  readonly timeMs: number;
  readonly warmupMs: number;
  /** Records of the count of the heap. */
  readonly items: number;
}

/** Measures each record in both codecs, on threads of their own. */
export async function measureRecords(
  { timeMs, warmupMs, items }: RecordOptions,
  records: readonly QueueRecord[] = RECORDS,
): Promise<RecordRow[]> {
  const rows: RecordRow[] = [];
  for (const record of records)
    for (const codec of CODECS) {
      const name = recordSubjectName(record, codec);
      const costs = await measureApart(name, { timeMs, warmupMs, heapOperations: items });
      costs.forEach(({ median, min, max, repeats, bytesPerOperation = Number.NaN }, at) => {
        const { family, name: of } = record;
        const direction = at === 0 ? 'encode' : 'decode';
        rows.push({
          family,
          name: of,
          codec,
          direction,
          median,
          min,
          max,
          repeats,
          bytesPerRecord: bytesPerOperation,
        });
      });
    }
  return rows;
}
