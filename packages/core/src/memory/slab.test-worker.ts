// Takes and frees objects of a slab at random, hands some over to other threads, and marks what it holds by compare-exchange.
import { parentPort, workerData } from 'node:worker_threads';
import { randomFrom, startTogether, type TestTask } from '../sync/run-workers.test-help.ts';
import { Arena } from './arena.ts';
import { Slab } from './slab.ts';
import { SlabCache } from './slab-cache.ts';

const { arena: shared, id, threads, rounds, seed, option } = workerData as TestTask;
const arena = Arena.open(shared);
const { words } = arena;
const owners = arena.base('owners');
const handover = arena.base('handover');
const handoverSlots = arena.sizeWords('handover');
const slab = new Slab(words, arena.base('slab'));
const cache = new SlabCache(slab, { id, spins: 0 }, { batch: option & 0xff, checked: option > 0xff });
const random = randomFrom(seed, id);
const held: number[] = [];
let violations = 0;
let taken = 0;

function own(index: number): void {
  if (Atomics.compareExchange(words, owners + index, 0, id) !== 0) violations++;
}
function disown(index: number): void {
  if (Atomics.compareExchange(words, owners + index, id, 0) !== id) violations++;
}

startTogether(words, arena.base('start'), threads);
for (let round = 0; round < rounds; round++) {
  const dice = random() % 8;
  if (dice < 4 && held.length < 12) {
    const index = cache.alloc();
    if (index === 0) continue;
    own(index);
    words[slab.at(index)] = id;
    held.push(index);
    taken++;
  } else if (dice < 7 && held.length > 0) {
    const index = held.splice(random() % held.length, 1)[0];
    if (words[slab.at(index)] !== id) violations++;
    disown(index);
    cache.free(index);
  } else if (held.length > 0) {
    const given = held.pop() as number;
    disown(given);
    const got = Atomics.exchange(words, handover + (random() % handoverSlots), given);
    if (got !== 0) {
      own(got);
      words[slab.at(got)] = id;
      held.push(got);
    }
  }
}
for (const index of held) {
  disown(index);
  cache.free(index);
}
cache.flush();
parentPort?.postMessage({ violations, taken });
