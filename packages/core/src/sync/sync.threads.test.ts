import { describe, expect, test } from 'vitest';
import { Arena, initSlab, planArena, Slab, slabWords } from '../memory/index.ts';
import {
  counterBankWords,
  doorbellWords,
  initCounterBank,
  initDoorbell,
  initRcu,
  initRwlock,
  LINE,
  mutexOwner,
  openCounterBank,
  Rcu,
  rcuWords,
  refcountIncNotZero,
  refcountInit,
  refcountRead,
  rwlockReaders,
  rwlockWords,
  rwlockWriter,
} from './index.ts';
import { SEED } from './run-workers.test-help.ts';
import { runRoles } from './testing.test-help.ts';

const seeded = `seed ${SEED}`;
const limit = { timeout: 30_000 };

function arenaOf(regions: Record<string, number>): Arena {
  return Arena.create(
    planArena(Object.entries({ start: 1, done: 1, ...regions }).map(([name, words]) => ({ name, words }))),
  );
}

test.each([0, 200])('the mutex lets one of four in, spinning %i times', limit, async (spins) => {
  const arena = arenaOf({ mutex: 1, guarded: 1 });
  const rounds = 25_000;
  await runRoles(arena, ['mutex', 'mutex', 'mutex', 'mutex'], { rounds, spins });
  expect(arena.words[arena.base('guarded')]).toBe(4 * rounds);
  expect(mutexOwner(arena.words, arena.base('mutex'))).toBe(0);
});

describe.each([0, 200])('rwlock, spinning %i times', (spins) => {
  test('readers see no half write, and cannot starve a writer', limit, async () => {
    const arena = arenaOf({ rwlock: rwlockWords(), guarded: 2 });
    initRwlock(arena.words, arena.base('rwlock'));
    const roles = ['writer', 'reader', 'reader', 'reader', 'writer'];
    const reports = await runRoles<{ torn: number }>(arena, roles, { rounds: 4_000, spins, option: 2 });
    expect(reports.map(({ torn }) => torn)).toEqual([0, 0, 0, 0, 0]);
    expect(arena.words[arena.base('guarded')]).toBe(8_000);
    expect(rwlockReaders(arena.words, arena.base('rwlock'))).toBe(0);
    expect(rwlockWriter(arena.words, arena.base('rwlock'))).toBe(0);
  });
});

test('no reader ever sees an object reused or freed', limit, async () => {
  const capacity = 64;
  const arena = arenaOf({ published: 1, rcu: rcuWords(4), slab: slabWords(capacity, 32) });
  initSlab(arena.words, arena.base('slab'), capacity, 32);
  initRcu(arena.words, arena.base('rcu'), 4);
  const roles = ['updater', 'follower', 'follower', 'updater'];
  const reports = await runRoles<{ violations: number }>(arena, roles, { rounds: 15_000, option: 2 });
  expect(
    reports.map(({ violations }) => violations),
    seeded,
  ).toEqual([0, 0, 0, 0]);
  expect(new Slab(arena.words, arena.base('slab')).live(), seeded).toBe(1);
  const rcu = new Rcu(arena.words, arena.base('rcu'));
  expect(rcu.isDone(rcu.startGracePeriod())).toBe(true);
});

test.each(['shared', 'split'] as const)('%s counters reach zero, and who waits is told', limit, async (mode) => {
  const objects = 3;
  const arena = arenaOf({ turn: 1, bank: counterBankWords(objects, 3, mode) });
  initCounterBank(arena.words, arena.base('bank'), objects, 3, mode);
  const reports = await runRoles<{ lost: number }>(arena, ['drainer', 'taker', 'taker'], { rounds: 10_000 });
  expect(reports.map(({ lost }) => lost)).toEqual([0, 0, 0]);
  const bank = openCounterBank(arena.words, arena.base('bank'), { id: 1, spins: 0 });
  for (let object = 0; object <= objects; object++) expect(bank.read(object)).toBe(0);
});

test('work that was rung for is never slept on', limit, async () => {
  const arena = arenaOf({ bell: doorbellWords(), work: 4 });
  initDoorbell(arena.words, arena.base('bell'));
  const rounds = 10_000;
  const reports = await runRoles<{ lost: number; taken?: number }>(arena, ['ringer', 'ringer', 'sleeper'], { rounds });
  expect(reports.map(({ lost }) => lost)).toEqual([0, 0, 0]);
  expect(reports[2].taken).toBe(2 * rounds);
});

test('a completion is taken once, and never missed', limit, async () => {
  const arena = arenaOf({ completions: 3 * LINE });
  const reports = await runRoles<{ lost: number }>(arena, ['circle', 'circle', 'circle'], { rounds: 5_000 });
  expect(reports.map(({ lost }) => lost)).toEqual([0, 0, 0]);
});

test('the last reference goes once', limit, async () => {
  const arena = arenaOf({ count: 1 });
  refcountInit(arena.words, arena.base('count'), 1);
  const roles = ['referrer', 'referrer', 'referrer', 'referrer'];
  const reports = await runRoles<{ last: number }>(arena, roles, { rounds: 200_000 });
  expect(reports.reduce((sum, { last }) => sum + last, 0)).toBe(1);
  expect(refcountRead(arena.words, arena.base('count'))).toBe(0);
  expect(refcountIncNotZero(arena.words, arena.base('count'))).toBe(false);
});
