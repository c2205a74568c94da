import { expect, test } from 'vitest';
import { LINE, type Words } from '../sync/index.ts';
import { OneThread } from './testing/bench-system.ts';
import { ActiveLimit, flushWork, WorkSource } from './work-queue.ts';

test('no more workers are active than the limit allows, and one that leaves lets another in', () => {
  const words: Words = new Int32Array(new SharedArrayBuffer(4 * 4 * LINE));
  const limits = Array.from({ length: 3 }, () => new ActiveLimit(words, LINE, 2));
  expect(limits.map((limit) => limit.enter(0))).toEqual([true, true, false]);
  limits[0].leave();
  expect(limits[2].enter(0)).toBe(true);
  expect(limits[0].enter(0)).toBe(false);
  for (const limit of limits.slice(1)) limit.leave();
  expect(limits.map((limit) => limit.enter(0))).toEqual([true, true, false]);
});

test('a worker takes its share of what waits, and never more than it has room for', () => {
  const one = new OneThread('lockless');
  const source = new WorkSource(one.system, { id: 2, spins: 0 }, 4, 8);
  expect(source.take()).toBe(0);
  const sink = one.sink;
  for (let group = 1; group <= 40; group++) sink.queue(group);
  sink.publish();
  expect(source.take()).toBe(8); // a quarter would be 10
  expect([...source.batch]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  for (let waiting = 32; waiting > 0; ) waiting -= source.take();
  expect(source.take()).toBe(0);
});

test('a flush waits until what was queued before it is taken and its takers are through', async () => {
  const one = new OneThread('lockless');
  one.sink.queue(1);
  one.sink.publish();
  let flushed = false;
  const flush = flushWork(one.system).then(() => {
    flushed = true;
  });
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  await turns();
  expect(flushed).toBe(false); // in the ring
  expect(one.take()).toEqual([1]);
  await turns();
  expect(flushed).toBe(false); // in this thread's hands
  one.system.reader.quiescent();
  await flush;
  expect(flushed).toBe(true);
});
