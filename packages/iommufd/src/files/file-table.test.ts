import { refcountIncNotZero } from '@faultline/core/sync';
import { initXarray, Xarray, xarrayWords } from '@faultline/core/xarray';
import { expect, test } from 'vitest';
import { FailPoint, initRecordPool, RecordPool, recordPoolWords } from '../memory/index.ts';
import { FileTable } from './file-table.ts';
import { FILE_CONTEXT, FILE_FAULT, FILE_REFS, FILE_WORDS } from './layout.ts';

const FILES = 8;
const FDS_AT = 32;

function rig() {
  const poolAt = FDS_AT + xarrayWords(1);
  const words = new Int32Array(new SharedArrayBuffer((poolAt + recordPoolWords(FILES, FILE_WORDS)) * 4));
  initXarray(words, FDS_AT, 1);
  initRecordPool(words, poolAt, FILES, FILE_WORDS);
  const fail = new FailPoint();
  const pool = new RecordPool('files', words, poolAt, { id: 1, spins: 0 }, fail);
  const fds = new Xarray(words, FDS_AT);
  /** Contexts of the files that ended. */
  const ended: number[] = [];
  const files = new FileTable({ words, fds, pool, fail, release: (at) => ended.push(words[at + FILE_CONTEXT]) });
  return { words, pool, fds, fail, files, ended };
}

test('descriptors begin behind the standard ones, lowest first; a file ends with its last', () => {
  const { files, pool, ended } = rig();
  const fd = files.install('open', FILE_FAULT, 5, 1);
  expect(fd).toBe(3);
  expect(files.dup('dup', fd)).toBe(4);
  files.close(fd);
  expect(ended).toEqual([]);
  expect(() => files.get('read', fd)).toThrow(/fd = 3: is no open file \(EBADF\)/);
  const held = files.get('read', 4);
  files.close(4);
  expect(ended).toEqual([]); // a call is under way
  files.put(held);
  expect(ended).toEqual([5]);
  expect(pool.live()).toBe(0);
});

test('a file that gets no descriptor is freed by whoever holds it last, and ends no context', () => {
  const { words, pool, fds, files, ended } = rig();
  let stale = 0;
  // A thread that found the row under a descriptor that was closed since, at the worst moment.
  fds.alloc = (file) => {
    stale = pool.at(file);
    expect(refcountIncNotZero(words, stale + FILE_REFS)).toBe(true);
    return -1;
  };
  expect(() => files.install('open', FILE_FAULT, 5, 1)).toThrow(/EMFILE/);
  expect(pool.live()).toBe(1);
  files.put(stale);
  expect(pool.live()).toBe(0);
  expect(ended).toEqual([0]);
});
