import { GENERATIONS } from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import { COST_NAMES, type CostName, loadPreset, parsePreset } from '../model/index.ts';
import { readEnvironment } from '../result/environment.ts';
import { figuresOf, withFigures } from './figures.ts';
import { presetText } from './file.ts';
import { HANDLER_BATCH } from './machine.ts';
import type { Measured } from './measure.ts';
import { STAGES, type StageTimes, stageTimesOf, type Timing } from './stages.ts';

const timing = (ns: number): Timing => ({ ns, low: ns / 2, high: ns * 2, cycles: 9 });

/** Stages whose items take `item`, and whose turns take `turn` besides. */
function stages(
  item: Record<(typeof STAGES)[number], number>,
  turn: number,
  more: Partial<StageTimes> = {},
): StageTimes {
  const of = (name: (typeof STAGES)[number]): StageTimes['record'] => ({
    item: timing(item[name]),
    turn: timing(turn),
  });
  const [stall, collect, touch] = [60, 25, 20].map(timing);
  const none = timing(0);
  return {
    ...{ record: of('record'), report: of('report'), handle: of('handle'), resume: of('resume') },
    ...{ stall, collect, touch, discard: none, notify: timing(200), invalidate: timing(50), handleTaken: timing(300) },
    ...more,
  };
}

const bare = stages({ record: 25, report: 20, handle: 10, resume: 15 }, 40);
const full = stages({ record: 30, report: 150, handle: 500, resume: 18 }, 160);
const memory = { lookUp: 35, lock: 20, populate: 220, restore: 34, take: 30, visit: 12, discard: 17 };
const timings = (of: Record<string, number>): never =>
  Object.fromEntries(Object.entries(of).map(([name, ns]) => [name, timing(ns)])) as never;
const held = { report: { param: 110, fault: 60 }, handle: { param: 30, fault: 90 }, pair: 20 };
const search = { element: 6, lengths: [{ length: 16, answer: timing(100) }] };
const measured: Measured = {
  bare,
  stages: Object.fromEntries(GENERATIONS.map((generation) => [generation, full])) as Measured['stages'],
  small: stages({ record: 30, report: 150, handle: 500, resume: 18 }, 160, { touch: timing(50) }),
  held: {
    locked: { ...held, handle: { param: 0, fault: 90 } },
    v7: held,
    mainline: { ...held, report: { param: 0, fault: 60 }, handle: { param: 0, fault: 90 } },
  },
  searches: { locked: search, v7: search },
  memory: timings(memory),
  coldMemory: timings({ ...memory, populate: 300 }),
  threads: timings({ wake: 6000, call: 1500, latency: 5000, unlock: 2000, transfer: 100, hop: 4000, loopHop: 15_000 }),
};
const figures = figuresOf(measured, 64);
const sum = (...names: CostName[]): number => names.reduce((all, name) => all + (figures[name]?.ns ?? Number.NaN), 0);

describe.each(GENERATIONS)('%s', (generation) => {
  const own = (what: 'report' | 'respond'): CostName[] =>
    COST_NAMES.filter((name) => name.startsWith(`${what}.${generation}.`) && !/element|joined/.test(name));

  test('what a report is taken apart into adds up to it', () => {
    expect(sum('interrupt.record', ...own('report'))).toBeCloseTo(full.report.item.ns);
  });

  test('what a handled group is taken apart into adds up to it', () => {
    const parts = sum('handler.look-up', 'mmap.lock', 'respond.command', ...own('respond'));
    const turn = full.handle.turn.ns / HANDLER_BATCH;
    expect(parts + sum('handler.restore') + turn).toBeCloseTo(full.handleTaken.ns);
    expect(parts + sum('handler.populate')).toBeCloseTo(full.handle.item.ns);
  });
});

test('a page that was taken costs less by what zeroing it takes', () => {
  const zeroing = full.handle.item.ns + full.handle.turn.ns / HANDLER_BATCH - full.handleTaken.ns;
  expect(sum('handler.populate') - memory.restore).toBeCloseTo(zeroing);
});

test('a thread that sleeps in an event loop pays for that, one that does not only for the switch', () => {
  expect(sum('thread.wake', 'thread.switch')).toBe(4000);
  expect(sum('thread.wake', 'thread.switch', 'hardware.sleep')).toBe(15_000);
});

test('turns of many items and of one tell what a turn takes by itself', () => {
  const samples = { stall: [1], collect: [1] } as Record<string, number[]>;
  for (const name of STAGES) Object.assign(samples, { [name]: [100 + 64 / 16], [`${name}1`]: [164] });
  const { handle } = stageTimesOf(samples);
  expect(handle.item.ns).toBeCloseTo(100);
  expect(handle.turn.ns).toBeCloseTo(64);
});

test('the file is a preset: what was measured is marked so, what was not stays a guess', () => {
  const costs = withFigures(loadPreset('this-class').costs, figures);
  const order = { environment: readEnvironment(), date: new Date(0), costs, devices: 8, pagesPerJob: 64, timeMs: 1 };
  const preset = parsePreset(presetText(order));
  expect(preset.costs['device.collect']).toMatchObject({ ns: 25, kind: 'measured' });
  expect(preset.costs['report.adaptive.joined'].kind).toBe('guess');
  expect(preset.config.processors).toBe(order.environment.cpus);
});
