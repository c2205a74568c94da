import { randomInt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { readMmBooks } from './books.ts';
import { BARRIER, BASE, memoryOf, open, type Part, READ, STOP, WRITE } from './mm.test-help.ts';

const seed = randomInt(2 ** 31);
console.log(`mm.threads.test.ts: seed ${seed}`);

/** Runs one worker a part. When all parts with rounds are done, the others are stopped. @returns what they saw wrong. */
async function run(words: Part['words'], parts: Omit<Part, 'words' | 'id' | 'seed'>[]): Promise<string[]> {
  const workers = parts.map((part, index) => {
    const workerData: Part = { ...part, words, id: index + 1, seed };
    const worker = new Worker(new URL('./mm.test-worker.ts', import.meta.url), { workerData });
    const wrong = new Promise<string[]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    return { part, wrong };
  });
  try {
    await Promise.all(workers.filter(({ part }) => part.rounds > 0).map(({ wrong }) => wrong));
  } finally {
    Atomics.store(words, STOP, 1);
  }
  return (await Promise.all(workers.map(({ wrong }) => wrong))).flat();
}

describe.each([
  { scanned: false, name: 'without the scanner' },
  { scanned: true, name: 'with the scanner' },
])('$name', ({ scanned }) => {
  test('no page is handed out unzeroed or loses its contents, and populated = discarded + present', async () => {
    const owners = 3;
    const pages = 32;
    const words = memoryOf({ frames: owners * pages, areas: owners, threads: owners + 2 });
    words.fill(0, 0, BASE);
    const mm = open(words, 1);
    for (let owner = 0; owner < owners; owner++) mm.addArea(owner * 1000, pages, READ | WRITE);
    const parts: Parameters<typeof run>[1] = [];
    for (let owner = 0; owner < owners; owner++) parts.push({ role: 'owner', start: owner * 1000, pages, rounds: 150 });
    parts.push({ role: 'rival', start: 0, pages: 1000 * (owners - 1) + pages, rounds: 0 });
    if (scanned) parts.push({ role: 'scanner', start: 0, pages: owners * pages, rounds: 0 });
    expect(await run(words, parts)).toEqual([]);
    const books = readMmBooks(words, BASE);
    expect(books.populated).toBeGreaterThanOrEqual(owners * pages * 150);
    expect(books.populated).toBe(books.discarded + mm.presentPages());
    expect(books.stuck).toBe(0);
    expect(books.restored).toBeLessThanOrEqual(books.taken);
    expect(books.taken > 0 && books.restored > 0).toBe(scanned);
    mm.discard(0, pages);
    expect(readMmBooks(words, BASE).discarded - books.discarded).toBe(
      books.populated - books.discarded - mm.presentPages(),
    );
  });
});

test('handlers that race on pages zero each once', async () => {
  const racers = 3;
  const rounds = 40;
  const pages = 16;
  const words = memoryOf({ frames: rounds * pages, areas: 1, threads: racers });
  words.fill(0, 0, BASE);
  words[BARRIER + 1] = racers;
  const mm = open(words, 1);
  mm.addArea(0, rounds * pages, READ | WRITE);
  const part = { role: 'racer' as const, start: 0, pages, rounds };
  expect(await run(words, [part, part, part])).toEqual([]);
  const books = readMmBooks(words, BASE);
  expect(books.populated).toBe(rounds * pages);
  expect(books.stuck).toBe(0);
  expect(mm.presentPages()).toBe(rounds * pages);
});

test('areas that come and go under walkers leave no page behind', async () => {
  const words = memoryOf({ frames: 24, areas: 2, threads: 4 });
  words.fill(0, 0, BASE);
  expect(
    await run(words, [
      { role: 'mapper', start: 0, pages: 12, rounds: 3000 },
      { role: 'mapper', start: 12, pages: 12, rounds: 3000 },
      { role: 'walker', start: 0, pages: 24, rounds: 0 },
      { role: 'rival', start: 0, pages: 24, rounds: 0 },
    ]),
  ).toEqual([]);
  const mm = open(words, 1);
  const books = readMmBooks(words, BASE);
  expect(mm.presentPages()).toBe(0);
  expect(books.populated).toBe(books.discarded);
  expect(books.populated).toBeGreaterThan(3000);
});
