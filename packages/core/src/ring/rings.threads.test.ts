import { expect, test } from 'vitest';
import { Arena, planArena } from '../memory/arena.ts';
import { runWorkers, SEED } from '../sync/run-workers.test-help.ts';
import type { Words } from '../sync/thread-self.ts';
import { initMpmc, mpmcWords } from './mpmc.layout.ts';
import { initMpsc, mpscWords } from './mpsc.layout.ts';
import { initSpmc, spmcWords } from './spmc.layout.ts';
import { initSpsc, spscWords } from './spsc.layout.ts';

interface Report {
  readonly got: Int32Array;
  readonly torn: number;
}

/** Runs one worker a role over one ring; gives what each reported, in the order of the roles. */
function runRing(
  ringWords: number,
  init: (words: Words, base: number) => void,
  roles: readonly string[],
  params: { rounds: number; spins: number; option: number },
): Promise<Report[]> {
  const arena = Arena.create(
    planArena([
      { name: 'start', words: 1 },
      { name: 'never', words: 1 },
      { name: 'ring', words: ringWords },
    ]),
  );
  init(arena.words, arena.base('ring'));
  const shared = arena.share();
  return runWorkers<Report>(
    new URL('./ring.test-worker.ts', import.meta.url),
    roles.map((role, at) => ({ role, arena: shared, id: at + 1, threads: roles.length, seed: SEED, ...params })),
  );
}

/** The items 1..rounds of one producer. */
const inOrder = (rounds: number) => Int32Array.from({ length: rounds }, (_, i) => i + 1);

/** What one producer sent, out of what one consumer got. */
const sentBy = (producer: number, got: Int32Array) =>
  got.filter((value) => value >>> 24 === producer).map((v) => v & 0xffffff);

const cases = [
  ['sleeping at once', 8, 0],
  ['spinning first', 8, 200],
  ['one slot, sleeping at once', 1, 0],
] as const;

test.each(cases)('SPSC: every item once and in order, %s', { timeout: 30_000 }, async (_, capacity, spins) => {
  const rounds = capacity === 1 ? 2_000 : 40_000;
  const [, { got, torn }] = await runRing(
    spscWords(capacity, 2),
    (words, base) => initSpsc(words, base, capacity, 2),
    ['spscProducer', 'spscConsumer'],
    { rounds, spins, option: 5 },
  );
  expect(torn, `seed ${SEED}`).toBe(0);
  expect(got, `seed ${SEED}`).toEqual(inOrder(rounds));
});

test.each(cases)('MPSC: every item once, in order a producer, %s', { timeout: 30_000 }, async (_, capacity, spins) => {
  const rounds = capacity === 1 ? 700 : 10_000;
  const reports = await runRing(
    mpscWords(capacity, 2),
    (words, base) => initMpsc(words, base, capacity, 2),
    ['mpscProducer', 'mpscProducer', 'mpscProducer', 'mpscConsumer'],
    { rounds, spins, option: 3 },
  );
  const { got, torn } = reports[3];
  expect(torn, `seed ${SEED}`).toBe(0);
  for (const producer of [1, 2, 3]) expect(sentBy(producer, got), `seed ${SEED}`).toEqual(inOrder(rounds));
});

test.each([
  ['sleeping at once', 0],
  ['spinning first', 200],
])('SPMC: every value once, ascending a consumer, %s', { timeout: 30_000 }, async (_, spins) => {
  const rounds = 40_000;
  const reports = await runRing(
    spmcWords(16),
    (words, base) => initSpmc(words, base, 16),
    ['spmcConsumer', 'spmcConsumer', 'spmcConsumer', 'spmcProducer'],
    { rounds, spins, option: 4 },
  );
  const consumers = reports.slice(0, 3).map(({ got }) => got);
  for (const got of consumers) expect(got, `seed ${SEED}`).toEqual(got.toSorted());
  const all = Int32Array.from(consumers.flatMap((got) => [...got])).sort();
  expect(all, `seed ${SEED}`).toEqual(inOrder(rounds));
});

test('MPMC: every value once, in order a producer and consumer', { timeout: 30_000 }, async () => {
  const rounds = 20_000;
  const reports = await runRing(
    mpmcWords(16),
    (words, base) => initMpmc(words, base, 16),
    ['mpmcProducer', 'mpmcProducer', 'mpmcConsumer', 'mpmcConsumer'],
    { rounds, spins: 0, option: 1 },
  );
  const consumers = reports.slice(2).map(({ got }) => got);
  for (const producer of [1, 2]) {
    const parts = consumers.map((got) => sentBy(producer, got));
    for (const part of parts) expect(part, `seed ${SEED}`).toEqual(part.toSorted());
    const all = Int32Array.from(parts.flatMap((part) => [...part])).sort();
    expect(all, `seed ${SEED}`).toEqual(inOrder(rounds));
  }
});
