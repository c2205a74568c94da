import { IommuError } from '@faultline/core/errors';
import { expect, test } from 'vitest';
import { MemoryFile, PAGE_BYTES, type ProcessMemory } from '../caller/index.ts';
import { COMMANDS, type Command, callCommand } from '../context/index.ts';
import { attachDevice, detachDevice, unbindDevice } from '../device/index.ts';
import { FILE_MEMORY } from '../files/layout.ts';
import { makeRig } from '../testing/rig.test-help.ts';
import {
  type Args,
  IOAS_ALLOC,
  IOAS_CHANGE_PROCESS,
  IOAS_COPY,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_UNMAP,
  OPTION,
  OPTION_OP_SET,
  OPTION_RLIMIT_MODE,
  type Struct,
} from '../uapi/index.ts';

const PAGE = BigInt(PAGE_BYTES);
const BASE = 1n << 24n;
const FIXED = 7;

/** Two processes that may lock so many pages; device 1 is on an IOAS. Callers without privilege, unless said. */
function accountRig(mode: 'none' | 'user' | 'process', lockLimit: number = 8) {
  const rig = makeRig({ lockLimit });
  const { lab, context } = rig;
  if (mode === 'process') rig.call(OPTION, { optionId: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: 1n });
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const devId = rig.bind(1);
  attachDevice(context, devId, { ptId: ioasId });
  lab.mappable.set(1, MemoryFile.create(lab.ram, 16 * PAGE_BYTES));
  const callers = [1, 2].map((process) => ({ ...lab.caller(process), privileged: mode === 'none' }));
  const fd = callers[0].files.install('test', FILE_MEMORY, 0, 1);
  const as = <S extends Struct>(process: number, struct: S, args: Partial<Args<S>> = {}): string => {
    const command = COMMANDS.find((each) => each.struct === (struct as Struct)) as Command<S>;
    try {
      callCommand(context, callers[process - 1], command, args);
      return '';
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
      return `${error.code} ${error.field}`;
    }
  };
  const mapFile = (pages: number, at: number = 0): string =>
    as(1, IOAS_MAP_FILE, { ioasId, flags: FIXED, fd, length: BigInt(pages) * PAGE, iova: BASE + BigInt(at) * PAGE });
  /** Of each process: pinned for it (VmPin), charged to it (VmLck), charged to its user. */
  const books = (): number[][] =>
    lab.processes.slice(0, 2).map((each: ProcessMemory) => [each.pinnedPages(), each.charged(), each.chargedToUser()]);
  return {
    ...rig,
    ioasId,
    as,
    mapFile,
    books,
    end(): void {
      detachDevice(context, devId);
      unbindDevice(context, devId);
      callers[0].files.close(fd);
      rig.expectNothingLeft();
      expect(books()).toEqual([
        [0, 0, 0],
        [0, 0, 0],
      ]);
    },
  };
}

test.each([
  [
    'none',
    [
      [3, 0, 0],
      [0, 0, 0],
    ],
    [
      [3, 0, 0],
      [0, 0, 0],
    ],
  ],
  [
    'user',
    [
      [3, 0, 3],
      [0, 0, 0],
    ],
    [
      [0, 0, 0],
      [3, 0, 3],
    ],
  ],
  [
    'process',
    [
      [3, 3, 0],
      [0, 0, 0],
    ],
    [
      [0, 0, 0],
      [3, 3, 0],
    ],
  ],
] as const)('what is pinned moves to the caller, charged to %s', (mode, before, after) => {
  const rig = accountRig(mode);
  expect(rig.mapFile(3)).toBe('');
  // The same pages a second time are pinned, and charged, once.
  const copy = { srcIoasId: rig.ioasId, dstIoasId: rig.ioasId, flags: FIXED, length: 3n * PAGE };
  expect(rig.as(1, IOAS_COPY, { ...copy, srcIova: BASE, dstIova: BASE + 8n * PAGE })).toBe('');
  expect(rig.books()).toEqual(before);
  expect(rig.as(2, IOAS_CHANGE_PROCESS)).toBe('');
  expect(rig.books()).toEqual(after);
  expect(rig.as(2, IOAS_CHANGE_PROCESS)).toBe('');
  expect(rig.books()).toEqual(after);
  rig.end();
});

test('memory of a process stays that process’s: EINVAL, and nothing moves', () => {
  const rig = accountRig('process');
  const userVa = rig.memory.mmap(PAGE_BYTES);
  expect(rig.mapFile(2)).toBe('');
  const map = { ioasId: rig.ioasId, flags: FIXED, userVa, length: PAGE, iova: BASE + 8n * PAGE };
  expect(rig.as(1, IOAS_MAP, map)).toBe('');
  const before = rig.books();
  expect(rig.as(2, IOAS_CHANGE_PROCESS)).toBe('EINVAL iova');
  expect(rig.books()).toEqual(before);
  expect(rig.as(1, IOAS_UNMAP, { ioasId: rig.ioasId, iova: map.iova, length: PAGE })).toBe('');
  expect(rig.as(2, IOAS_CHANGE_PROCESS)).toBe('');
  rig.end();
});

test('a caller that may not lock so much: ENOMEM, and nothing moves', () => {
  const rig = accountRig('process', 5);
  expect(rig.mapFile(2)).toBe('');
  expect(rig.mapFile(2, 8)).toBe('');
  rig.lab.processes[1].charge(2);
  const before = rig.books();
  expect(rig.as(2, IOAS_CHANGE_PROCESS)).toBe('ENOMEM pages');
  expect(rig.books()).toEqual(before);
  rig.lab.processes[1].uncharge(1);
  expect(rig.as(2, IOAS_CHANGE_PROCESS)).toBe('');
  rig.lab.processes[1].uncharge(1);
  rig.end();
});

test.each(['user', 'process'] as const)('a mapping beyond the limit of the %s is refused whole', (mode) => {
  const rig = accountRig(mode, 5);
  expect(rig.mapFile(4)).toBe('');
  const before = rig.books();
  expect(rig.mapFile(2, 8)).toBe('ENOMEM start');
  expect(rig.books()).toEqual(before);
  expect(rig.lab.ram.pinned()).toBe(4);
  expect(rig.mapFile(1, 8)).toBe('');
  rig.end();
});

test('without a limit nobody is charged', () => {
  const rig = accountRig('none', 5);
  expect(rig.mapFile(12)).toBe('');
  rig.end();
});
