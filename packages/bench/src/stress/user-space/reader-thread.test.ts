import {
  type AddressSpace,
  FAULT_PAGE_LO,
  FAULT_PERM_READ,
  type Generation,
  GROUP_COOKIE,
  type IommuOps,
  planArena,
  REQUEST_WORDS,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core';
import { Arena } from '@faultline/core/memory';
import { autoRespond, FaultQueue } from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { initRig, openRig, RIG_REGIONS, Trigger } from '../../micro/iommufd/fault-rig.ts';
import { FAULT_QUEUE } from './machine.ts';
import { initReaders, READERS_REGION, readerRow, readersWords, readFaultFile } from './reader-books.ts';
import { ReaderThread } from './reader-thread.ts';

/** A reader of a device whose faults are on pages 0, 1, …; `populate` is called for each page, and says whether it can be made present. */
function openReader(populate: (page: number, lease?: boolean) => boolean, generation: Generation = 'lockless') {
  const arena = Arena.create(planArena([...RIG_REGIONS, { name: READERS_REGION, words: readersWords(1) }]));
  initRig(arena);
  initReaders(arena);
  const answers: [page: number, code: number][] = [];
  const ops: IommuOps = {
    pageResponse: (recordAt, code) => void answers.push([arena.words[recordAt + FAULT_PAGE_LO], code]),
    flushResponses() {},
  };
  const machine = openRig(arena, { id: 1, spins: 0 }, ops, generation);
  machine.system.reader.online();
  const trigger = new Trigger(machine);
  const mm: AddressSpace = {
    getUsers: () => true,
    putUsers() {},
    readLock() {},
    readUnlock() {},
    findArea: () => 1,
    areaPerm: () => FAULT_PERM_READ,
    handleMmFault: (_area, pageLo, _pageHi, _perm, lease) => populate(pageLo, lease),
  };
  const reader = new ReaderThread({ machine, mm, row: readerRow(arena, 0) });
  const { system, path } = machine;
  const base = machine.faultQueueAt(FAULT_QUEUE);
  return { reader, trigger, machine, answers, base, queue: new FaultQueue({ system, path, ops, base }), arena };
}

test('what can be made present is answered Success, the rest Invalid, a write a read', () => {
  const { reader, trigger, answers, arena } = openReader((page) => page !== 1);
  trigger.report(3);
  expect([reader.step(), reader.step()]).toEqual([3, 0]);
  expect(answers).toEqual([
    [0, RESPONSE_SUCCESS],
    [1, RESPONSE_INVALID],
    [2, RESPONSE_SUCCESS],
  ]);
  expect(readFaultFile(arena)).toEqual({ reads: 1, groups: 3, writes: 1, refused: 0 });
});

test.each(['lockless', 'adaptive'] as const)('pages are leased to the device where its path is %s', (generation) => {
  const leases: unknown[] = [];
  const { reader, trigger } = openReader((_page, lease) => leases.push(lease) > 0, generation);
  trigger.report(2);
  expect(reader.step()).toBe(2);
  expect(leases).toEqual(generation === 'adaptive' ? [true, true] : [false, false]);
});

test('answers behind one that is refused are written all the same', () => {
  let meanwhile = (): void => {};
  const { reader, trigger, answers, queue, machine, arena } = openReader((page) => {
    if (page === 4) meanwhile();
    return true;
  });
  // The first, one within and the last are answered by somebody else once they have been read.
  meanwhile = () => {
    const { words, requests } = machine.system;
    const cookieOf = new Map<number, number>();
    for (let group = 1; group <= requests.capacity; group++) {
      const at = requests.objects + group * REQUEST_WORDS;
      if (words[at + GROUP_COOKIE] !== 0) cookieOf.set(words[at + FAULT_PAGE_LO], words[at + GROUP_COOKIE]);
    }
    for (const page of [0, 2, 4]) queue.respond(cookieOf.get(page) ?? 0, RESPONSE_INVALID);
  };
  trigger.report(5);
  expect(reader.step()).toBe(5);
  expect(answers).toEqual([
    ...[0, 2, 4].map((page) => [page, RESPONSE_INVALID]),
    ...[1, 3].map((page) => [page, RESPONSE_SUCCESS]),
  ]);
  expect(readFaultFile(arena)).toMatchObject({ reads: 1, groups: 5, refused: 3 });
});

test('what is taken back while it is read is answered once; the next faults are read as ever', () => {
  let meanwhile = (): void => {};
  const { reader, trigger, answers, machine, base, arena } = openReader((page) => {
    if (page === 1) meanwhile();
    return true;
  });
  meanwhile = () => void autoRespond(machine, base, { device: 1, domain: 0 });
  trigger.report(2);
  expect(reader.step()).toBe(2);
  trigger.report(1);
  expect(reader.step()).toBe(1);
  expect(answers.sort(([a], [b]) => a - b)).toEqual([
    [0, RESPONSE_INVALID],
    [1, RESPONSE_INVALID],
    [2, RESPONSE_SUCCESS],
  ]);
  expect(readFaultFile(arena)).toMatchObject({ groups: 3, refused: 2 });
});
