// Takes ids and gives them back at random, marks those it holds by compare-exchange, and looks every one up.
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../memory/arena.ts';
import { randomFrom, startTogether, type TestTask } from '../sync/run-workers.test-help.ts';
import { Xarray } from './xarray.ts';

const { arena: shared, id, threads, rounds, seed, option: max } = workerData as TestTask;
const arena = Arena.open(shared);
const { words } = arena;
const owners = arena.base('owners');
const xarray = new Xarray(words, arena.base('xarray'));
const random = randomFrom(seed, id);
const held: number[] = [];
const values = new Map<number, number>();
let violations = 0;
let full = 0;

function erase(index: number): void {
  if (xarray.load(index) !== values.get(index)) violations++;
  if (Atomics.compareExchange(words, owners + index, id, 0) !== id) violations++;
  if (xarray.erase(index) !== values.get(index)) violations++;
}

startTogether(words, arena.base('start'), threads);
for (let round = 1; round <= rounds; round++) {
  if (random() % 2 === 0 && held.length < (max + 1) / 2) {
    const value = round * threads + id;
    const index = xarray.alloc(value, 0, max);
    if (index === -1) {
      full++;
      continue;
    }
    if (Atomics.compareExchange(words, owners + index, 0, id) !== 0) violations++;
    values.set(index, value);
    held.push(index);
  } else if (held.length > 0) erase(held.splice(random() % held.length, 1)[0]);
}
for (const index of held) erase(index);
parentPort?.postMessage({ violations, full });
