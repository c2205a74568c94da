import { expect, test } from 'vitest';
import { bare } from './bare.test-help.ts';
import { loadPreset, MODEL_GENERATIONS, type ModelConfig, type ModelResult, measureSpeed, simulate } from './index.ts';

const reporter = loadPreset('reporter-arm128').config;
const own = loadPreset('this-class').config;
const short = { seconds: 0.05, warmupSeconds: 0.01, seriesMs: 10 } as const;

function conserves(result: ModelResult): void {
  expect(result.outstanding - result.outstandingBefore).toBe(result.posted - result.faults);
}

test('a simulation runs at millions of events a second', () => {
  const { eventsPerSecond } = measureSpeed(2, {
    ...reporter,
    threads: 512,
    buffers: 'discard',
    seconds: 0.5,
    warmupSeconds: 0,
  });
  console.log(`${(eventsPerSecond / 1e6).toFixed(2)} M events a second`);
  expect(eventsPerSecond).toBeGreaterThan(2e5); // with other work on these processors
});

test('the same seed gives the same result, another one another', () => {
  const config: ModelConfig = { ...own, ...short, threads: 16, generation: 'mainline' };
  const first = simulate(config, 7);
  expect(simulate(config, 7)).toEqual(first);
  expect(simulate(config, 8).events).not.toBe(first.events);
});

test.each(MODEL_GENERATIONS)(
  '%s: each fault that is posted is answered or outstanding, on both machines',
  (generation) => {
    const here = simulate({ ...own, ...short, threads: 24, generation, buffers: 'remap' }, 1);
    const there = simulate({ ...reporter, ...short, threads: 200, generation, buffers: 'discard' }, 1);
    for (const result of [here, there]) {
      conserves(result);
      expect(result.faults).toBeGreaterThan(1000);
      const { queue, group, work, handler, response } = result.stages;
      expect(queue + group + work + handler + response).toBeCloseTo(result.latency.mean, -1);
    }
  },
);

test('as many faults as were asked for are answered, and those that go on together with the last', () => {
  const { seconds: _, ...rest } = own;
  const result = simulate({ ...rest, threads: 8, faults: 5000, warmupSeconds: 0 }, 1);
  expect(result.faults).toBeGreaterThanOrEqual(5000);
  expect(result.faults).toBeLessThan(5000 + 64);
  conserves(result);
});

test('one thread waits for the sum of the costs', () => {
  const result = simulate(
    bare(
      {
        'hardware.record': 100,
        'hardware.interrupt': 1000,
        'thread.wake-latency': 3000,
        'thread.switch': 0,
        'interrupt.record': 200,
        'report.lockless.outside': 300,
        'thread.wake': 0,
        'handler.populate': 2000,
        'respond.lockless.outside': 150,
        'hardware.resume': 50,
      },
      { threads: 1, generation: 'lockless', commandQueue: 'own' },
    ),
    1,
  );
  // Two sleepers are woken on the way: the interrupt thread and a handler.
  expect(result.latency.mean).toBeCloseTo(100 + 1000 + 3000 + 500 + 3000 + 2000 + 150 + 50, 5);
});

test('one interrupt thread answers no more than it can read, and is busy for what it reads', () => {
  const change: Partial<ModelConfig> = { generation: 'lockless', handlers: 63, processors: 128, commandQueue: 'own' };
  const at = (threads: number): ModelResult =>
    simulate(bare({ 'interrupt.record': 2000, 'handler.populate': 8000 }, { ...change, threads }), 1);
  const few = at(2);
  expect(few.busy.interruptThread).toBeCloseTo((few.faultsPerSecond * 2000) / 1e9, 2);
  expect(few.faultsPerSecond).toBeCloseTo(2e9 / 10_000, -4); // each thread in turn: read, handled
  const many = at(48);
  expect(many.faultsPerSecond / (1e9 / 2000)).toBeCloseTo(1, 2);
  expect(many.busy.interruptThread).toBeCloseTo(1, 2);
});

test('a lock that is held for h lets 1/h through', () => {
  const result = simulate(
    bare(
      { 'respond.mainline.fault': 4000, 'report.mainline.fault': 1000, 'handler.populate': 1000 },
      { generation: 'mainline', threads: 48 },
    ),
    1,
  );
  expect(result.faultsPerSecond / (1e9 / 5000)).toBeCloseTo(1, 2);
  expect(result.busy.faultLock).toBeCloseTo(1, 2);
});

test("Little's law: outstanding faults are their rate by their time", () => {
  const config = bare({ 'interrupt.record': 500, 'handler.populate': 3000 }, { threads: 40, pagesPerJob: 8 });
  const result = simulate({ ...config, generation: 'locked', seconds: 0.02, seriesMs: 0.2 }, 3);
  const measured = result.series.filter(({ atSeconds }) => atSeconds > 0.005);
  const mean = measured.reduce((sum, { outstanding }) => sum + outstanding, 0) / measured.length;
  expect(mean / ((result.faultsPerSecond * result.latency.mean) / 1e9)).toBeCloseTo(1, 1);
});

test('a search costs what stands before: what other handlers have in hand', () => {
  const at = (handlers: number): ModelResult =>
    simulate({ ...own, ...short, threads: 64, handlers, generation: 'locked' }, 1);
  expect(at(1).searchLength).toBe(0);
  expect(at(4).searchLength).toBeGreaterThan(at(2).searchLength);
  expect(simulate({ ...own, ...short, threads: 64, generation: 'mainline' }, 1).searchLength).toBe(0);
});

test('faults that travel together tell what faults alone do, within a tenth', () => {
  const load = { threads: 384, pagesPerJob: 512, buffers: 'discard', seconds: 0.12, warmupSeconds: 0.04 } as const;
  const config: ModelConfig = { ...reporter, ...load, generation: 'locked' };
  const exact = simulate({ ...config, grain: 1 }, 1);
  const coarse = simulate(config, 1);
  const error = coarse.faultsPerSecond / exact.faultsPerSecond - 1;
  console.log(
    `grain ${config.grain}: ${(100 * error).toFixed(1)} % of throughput, ${(exact.events / coarse.events).toFixed(1)} times fewer events`,
  );
  expect(Math.abs(error)).toBeLessThan(0.1);
  expect(coarse.events).toBeLessThan(exact.events / 4);
});

test('load steps: threads come and go, and the series shows it', () => {
  const loadSteps = [
    { atSeconds: 0.02, threads: 4 },
    { atSeconds: 0.04, threads: 16 },
  ];
  const result = simulate({ ...own, seconds: 0.06, warmupSeconds: 0, seriesMs: 2, threads: 16, loadSteps }, 1);
  const least = (from: number, to: number): number =>
    Math.max(...result.series.filter((at) => at.atSeconds > from && at.atSeconds <= to).map((at) => at.outstanding));
  expect(least(0.005, 0.02)).toBeGreaterThan(4 * own.pagesPerJob);
  expect(least(0.025, 0.04)).toBeLessThanOrEqual(4 * own.pagesPerJob);
  expect(least(0.045, 0.06)).toBeGreaterThan(4 * own.pagesPerJob);
  conserves(result);
});

test('a page that is lost again and again fails its job at the time-out, and no fault is lost with it', () => {
  const scanner = { kind: 'round', periodMs: 2, chunkPages: 64 } as const;
  const result = simulate({ ...own, ...short, threads: 64, scanner, timeoutMs: 8 }, 1);
  expect(result.refaults).toBeGreaterThan(0);
  expect(result.timeouts).toBeGreaterThan(0);
  expect(simulate({ ...own, ...short, threads: 64, remove: ['scanner'], timeoutMs: 100 }, 1).refaults).toBe(0);
  conserves(result);
});
