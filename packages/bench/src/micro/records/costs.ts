import { OPERATIONS, type Subject } from '../costs/subject.ts';
import { RECORDS } from './index.ts';
import { RecordQueue } from './loops.ts';
import type { QueueRecord } from './record.ts';

/** Words are hw's codec; objects, with BigInt fields, what one would otherwise write. */
export type Codec = 'words' | 'objects';
export const CODECS: readonly Codec[] = ['words', 'objects'];

export function recordSubjectName({ family, name }: QueueRecord, codec: Codec): string {
  return `${family} ${name}, ${codec}`;
}

function subject(record: QueueRecord, codec: Codec): Subject {
  return {
    name: recordSubjectName(record, codec),
    costs() {
      const queue = new RecordQueue(record);
      if (codec === 'words')
        return [
          { name: 'encode', operations: OPERATIONS, run: () => queue.encode(OPERATIONS) },
          { name: 'decode', operations: OPERATIONS, run: () => queue.decode(OPERATIONS) },
        ];
      return [
        { name: 'encode', operations: OPERATIONS, run: () => queue.encodeObjects(OPERATIONS) },
        { name: 'decode', operations: OPERATIONS, run: () => queue.decodeObjects(OPERATIONS) },
      ];
    },
  };
}

/** A subject a record and codec. */
export const recordSubjects: readonly Subject[] = RECORDS.flatMap((record) =>
  CODECS.map((codec) => subject(record, codec)),
);
