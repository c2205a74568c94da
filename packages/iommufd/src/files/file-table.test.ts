import { initXarray, Xarray, xarrayWords } from '@faultline/core/xarray';
import { expect, test } from 'vitest';
import { FailPoint, initRecordPool, RecordPool, recordPoolWords } from '../memory/index.ts';
import { FileTable } from './file-table.ts';
import { FILE_CONTEXT, FILE_FAULT, FILE_WORDS } from './layout.ts';

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
  const files = new FileTable({
    words,
    fds,
    pool,
    fail,
    closed: () => {},
    release: (at) => ended.push(words[at + FILE_CONTEXT]),
  });
  return { pool, fail, files, ended };
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

test('a reserved descriptor names nothing before it is published', () => {
  const { files, pool, fail, ended } = rig();
  const [fd, other] = [files.reserve('alloc', FILE_FAULT, 5, 1), files.reserve('alloc', FILE_FAULT, 6, 1)];
  expect([fd, other]).toEqual([3, 4]);
  for (const act of [() => files.get('read', fd), () => files.dup('dup', fd), () => files.close(fd)])
    expect(act).toThrow(/fd = 3: is no open file \(EBADF\)/);
  files.abandon(other);
  files.publish(fd);
  expect(files.dup('dup', fd)).toBe(4); // given back
  fail.arm(1);
  expect(() => files.reserve('alloc', FILE_FAULT, 7, 1)).toThrow();
  for (const each of [3, 4]) files.close(each);
  expect(() => files.close(3)).toThrow(/EBADF/);
  expect(ended).toEqual([5]); // and none of what was never open
  expect([pool.live(), files.count()]).toEqual([0, 0]);
});
