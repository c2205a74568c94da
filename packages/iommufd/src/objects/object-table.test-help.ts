import type { ThreadSelf, Words } from '@faultline/core/sync';
import { initXarray, Xarray, xarrayWords } from '@faultline/core/xarray';
import { FailPoint, initRecordPool, RecordPool, recordPoolWords } from '../memory/index.ts';
import { OBJECT_WORDS } from './layout.ts';
import { type Destroyer, ObjectTable } from './object-table.ts';

const OBJECTS = 64;
const IDS_AT = 32;

export function objectWords(): Words {
  const words = new Int32Array(
    new SharedArrayBuffer((IDS_AT + xarrayWords(2) + recordPoolWords(OBJECTS, OBJECT_WORDS)) * 4),
  );
  initXarray(words, IDS_AT, 2);
  initRecordPool(words, IDS_AT + xarrayWords(2), OBJECTS, OBJECT_WORDS);
  return words;
}

export function openObjects(
  words: Words,
  self: ThreadSelf,
  destroyer: Destroyer,
): { objects: ObjectTable; pool: RecordPool; fail: FailPoint; ids: Xarray } {
  const fail = new FailPoint();
  const pool = new RecordPool('objects', words, IDS_AT + xarrayWords(2), self, fail);
  const ids = new Xarray(words, IDS_AT);
  const destroyers = Object.fromEntries(Array.from({ length: 12 }, (_, type) => [type, destroyer]));
  const objects = new ObjectTable({ words, self, pool, ids, context: 1, fail, destroyers });
  return { objects, pool, fail, ids };
}
