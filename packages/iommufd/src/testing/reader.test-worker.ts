// A user-space reader: takes groups, holds some for a while, answers them in no order, hands some to the other reader to answer,
// and now and then tries a cookie that is not out.
import { workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import { type Generation, IopfSystem, openFaultPath, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { MpmcConsumer, MpmcProducer } from '@faultline/core/ring';
import { FaultQueue, reportsNothing } from '../index.ts';
import { AnswerCounts } from './answer-counts.test-help.ts';
import { DELIVERED, REFUSED, STOP, VOID } from './reader-counts.test-help.ts';

const { shared, generation, id, perDevice, seed } = workerData as {
  shared: SharedArena;
  generation: Generation;
  id: number;
  perDevice: number;
  seed: number;
};
const HELD = 24;
const arena = Arena.open(shared);
const { words } = arena;
const counts = arena.base('test.counts');
const system = new IopfSystem(arena, { id, spins: 0 });
const ops = new AnswerCounts(words, arena.base('test.answers'), perDevice);
const path = openFaultPath(generation, system, ops, reportsNothing);
const queue = new FaultQueue({ system, path, ops, base: arena.base('queue') });
const passOn = new MpmcProducer(words, arena.base('test.passing'));
const passedOn = new MpmcConsumer(words, arena.base('test.passing'));
const held: number[] = [];
let state = seed + id;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) % below;
};

function answer(cookie: number): void {
  try {
    if (!queue.respond(cookie, RESPONSE_SUCCESS)) Atomics.add(words, counts + VOID, 1);
  } catch (error) {
    if (!(error instanceof IommuError) || error.field !== 'cookie') throw error;
    Atomics.add(words, counts + REFUSED, 1);
  }
}

system.reader.online();
for (;;) {
  const stop = Atomics.load(words, counts + STOP) === 1;
  const cookie = queue.next();
  if (cookie !== 0) {
    Atomics.add(words, counts + DELIVERED, 1);
    // One in four goes to whoever comes first; one in sixteen to both, and one of them comes too late.
    const draw = random(16);
    if (draw >= 4 || !passOn.push(cookie) || draw === 0) held.push(cookie);
    if (random(64) === 0) answer(cookie ^ (1 << random(30)));
  }
  const passed = passedOn.pop();
  if (passed !== 0) held.push(passed);
  if (held.length > HELD || cookie === 0) {
    for (const each of held.splice(0, held.length - random(held.length / 2 + 1))) answer(each);
    if (cookie === 0 && stop && held.length === 0 && passed === 0) break;
    if (cookie === 0 && !stop) queue.park(5);
  }
}
path.close();
