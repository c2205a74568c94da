import { expect, test } from 'vitest';
import { Engine } from '../engine/engine.ts';
import { EventHeap } from '../engine/heap.ts';
import { Histogram } from '../engine/histogram.ts';
import { Random } from '../engine/random.ts';
import { Mutex } from './mutex.ts';
import { Processors } from './processors.ts';
import { RwLock } from './rw-lock.ts';
import { POLL, SLEEP, Thread } from './thread.ts';

const SLICE = 1000;

function machine(count: number): { readonly engine: Engine; readonly processors: Processors } {
  const engine = new Engine();
  const config = { processors: count, sliceNs: SLICE, wakeAheadNs: SLICE, wakeLatencyNs: 50, switchNs: 10 };
  return { engine, processors: new Processors(engine, config) };
}

/** Does as it is told; says when it was asked. */
class Scripted extends Thread {
  readonly asked: number[] = [];
  readonly #next: (now: number) => number;
  constructor(next: (now: number) => number, isUrgent = false) {
    super('device', isUrgent);
    this.#next = next;
  }
  step(now: number): number {
    this.asked.push(now);
    return this.#next(now);
  }
}

test('events come by time, those of one time in the order they were added', () => {
  const random = new Random(5);
  const heap = new EventHeap(4);
  const added: [number, number][] = [];
  for (let arg = 0; arg < 2000; arg++) {
    const at = random.below(50);
    heap.push(at, 0, arg);
    added.push([at, arg]);
    if (arg % 3 !== 2) continue;
    added.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    heap.pop();
    expect([heap.poppedAt, heap.poppedArg]).toEqual(added.shift());
  }
});

test('a histogram tells quantiles to 3 %', () => {
  const histogram = new Histogram();
  for (let i = 1; i <= 100_000; i++) histogram.record(i * 37, 1);
  expect(histogram.quantile(0.5) / (50_000 * 37)).toBeCloseTo(1, 1);
  expect(histogram.quantile(0.99) / (99_000 * 37)).toBeGreaterThanOrEqual(1);
  expect(histogram.quantile(0.99) / (99_000 * 37)).toBeLessThan(1.04);
  expect(histogram.quantile(1)).toBe(histogram.max);
});

test('threads that never sleep share a processor by slices, and two processors evenly', () => {
  for (const count of [1, 2]) {
    const { engine, processors } = machine(count);
    const threads = Array.from({ length: 6 }, () => new Scripted(() => 100));
    for (const thread of threads) processors.wake(thread);
    engine.run(300 * SLICE);
    const steps = threads.map((thread) => thread.asked.length);
    expect(Math.min(...steps) / Math.max(...steps)).toBeGreaterThan(0.9);
    expect(processors.busyNs[0] + processors.switchNs).toBeGreaterThan(0.99 * count * 300 * SLICE);
  }
});

test('a real-time thread goes ahead of one that polls and of one that works', () => {
  for (const busy of [POLL, 20]) {
    const { engine, processors } = machine(1);
    processors.wake(new Scripted(() => busy));
    const urgent = new Scripted(() => SLEEP, true);
    const id = engine.register({ fire: () => void processors.wake(urgent) });
    engine.schedule(300, id, 0);
    engine.run(SLICE / 2);
    expect(urgent.asked[0]).toBeLessThanOrEqual(300 + 20 + 10);
  }
});

test('a thread that polls looks as soon as it is poked, and gives way at the end of its slice', () => {
  const { engine, processors } = machine(1);
  const poller = new Scripted(() => POLL);
  const other = new Scripted(() => SLEEP);
  processors.wake(poller);
  const id = engine.register({ fire: (what) => void (what === 0 ? processors.poke(poller) : processors.wake(other)) });
  engine.schedule(200, id, 0);
  engine.schedule(300, id, 1);
  engine.run(2 * SLICE);
  expect(poller.asked[1]).toBe(200);
  expect(other.asked[0]).toBeGreaterThan(SLICE);
  expect(other.asked[0]).toBeLessThan(1.2 * SLICE);
});

test('a mutex that is slept on goes to one after the other, and nobody sleeps on', () => {
  const { engine, processors } = machine(4);
  const lock = new Mutex(engine, processors, { spins: false, sleepNs: 0, transferNs: 0 });
  const free: number[] = [];
  for (let i = 0; i < 8; i++) {
    let isDone = false;
    const thread: Scripted = new Scripted((now) => {
      if (isDone) return SLEEP;
      const took = lock.take(now, thread, 100, 1);
      if (took === SLEEP) return SLEEP;
      isDone = true;
      free.push(now + took);
      return took;
    });
    processors.wake(thread);
  }
  engine.run(10 * SLICE);
  expect(free.length).toBe(8);
  for (let i = 1; i < free.length; i++) expect(free[i] - free[i - 1]).toBeGreaterThanOrEqual(100);
});

test('a writer that waits keeps new readers out, and they come after it together', () => {
  const { engine, processors } = machine(8);
  const lock = new RwLock(engine, processors);
  const got: string[] = [];
  const at = (delay: number, ask: (now: number, self: Thread) => number, name: string): void => {
    let isDone = false;
    const thread: Scripted = new Scripted((now) => {
      if (isDone) return SLEEP;
      const took = ask(now, thread);
      if (took === SLEEP) return SLEEP;
      isDone = true;
      got.push(name);
      return took;
    });
    const id = engine.register({ fire: () => void processors.wake(thread) });
    engine.schedule(delay, id, 0);
  };
  const read = (now: number, self: Thread): number => (lock.read(now, self, now + 500) ? 500 : SLEEP);
  at(0, read, 'reader 1');
  at(100, (now, self) => lock.write(now, self, 300), 'writer');
  at(200, read, 'reader 2');
  at(210, read, 'reader 3');
  engine.run(10 * SLICE);
  expect(got).toEqual(['reader 1', 'writer', 'reader 2', 'reader 3']);
  expect(lock.tryRead(engine.now)).toBe(true);
  lock.endRead();
});
