import type { Bench, PairCase } from '../pair/case.ts';
import { keep } from '../pair/keep.ts';
import { CODECS, type Codec, recordSubjectName } from './costs.ts';
import { RECORDS } from './index.ts';
import { RecordQueue } from './loops.ts';
import type { QueueRecord } from './record.ts';

const queues = new Map<string, RecordQueue>();

/** One thread encodes, the other decodes, each a queue of its own: what is counted is each thread's heap. */
function recordCase(record: QueueRecord, codec: Codec): PairCase {
  const name = recordSubjectName(record, codec);
  const queue = (): RecordQueue => keep(queues, name, () => new RecordQueue(record));
  return {
    name,
    kind: 'throughput',
    words: 0,
    sides: [
      ({ items }: Bench) => {
        if (codec === 'words') queue().encode(items);
        else queue().encodeObjects(items);
        return 0;
      },
      ({ items }: Bench) => {
        if (codec === 'words') queue().decode(items);
        else queue().decodeObjects(items);
        return items;
      },
    ],
    check: (items) => items,
  };
}

/** For the count of what a record takes from the heap. */
export const recordCases: readonly PairCase[] = RECORDS.flatMap((record) =>
  CODECS.map((codec) => recordCase(record, codec)),
);
