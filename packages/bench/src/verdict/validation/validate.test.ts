import { expect, test } from 'vitest';
import { loadPreset } from '../../model/index.ts';
import type { Cell } from '../../result/schema.ts';
import { defaultParameters } from '../../scenario/defaults.ts';
import type { Engine, RunHooks } from '../../stress/types.ts';
import { comparisonSchema } from './result.ts';
import { renderComparison } from './table.ts';
import { judge, modelOf, VALIDATE_QUICK, validate } from './validate.ts';

type Row = Parameters<typeof judge>[0][number];
const row = (threads: number, real: number, model: number, othersShare = 0): Row => ({
  ...{
    generation: 'locked',
    threads,
    scanner: 0,
    real,
    model,
    realP99Ns: 1,
    modelP99Ns: 1,
    throughputError: model / real - 1,
  },
  ...{ p99Error: 0, repeats: [real], othersShare, modelBusy: 1, timeouts: 0, modelTimeouts: 0 },
});

test('rows are held to the limit up to where more threads bring nothing, unless others had the processors', () => {
  const rows = [row(1, 100, 124), row(2, 200, 140), row(4, 300, 300, 0.2), row(8, 400, 100), row(16, 420, 420)];
  expect(judge(rows).map(({ verdict }) => verdict)).toEqual(['within', 'off', 'disturbed', 'saturated', 'saturated']);
});

const cell = (generation: Cell['generation'], threads: number): Cell => ({
  ...{ generation, threads, repeat: 0, scanner: 0, faults: 1000, seconds: 0.01, faultsPerSecond: 100_000 },
  ...{ latencyNs: { p50: 1, p99: 2, p999: 3, max: 4 }, histogram: [], jobs: 1, timeouts: 0, refaults: 0, overflows: 0 },
  ...{ automatic: 0, reported: 1000, answered: 1000, resumed: 1000 },
  leaked: { slab: 0, references: 0, pending: 0, deferred: 0 },
});

test('the model is given what the real cell was run with', () => {
  const { config } = loadPreset('reporter-arm128');
  const parameters = { ...defaultParameters('stress', false), handlers: 3, timeoutMs: 77 };
  const model = modelOf(config, parameters, { ...cell('v7', 12), scanner: 9 }, 0.5);
  expect(model).toMatchObject({ generation: 'v7', threads: 12, handlers: 3, timeoutMs: 77, pagesPerJob: 64 });
  expect(model).toMatchObject({ deviceOnProcessor: true, hardwareOnProcessor: true, scanner: { periodMs: 9 } });
});

test('each real cell gets its simulated one, in one object that its schema takes', async () => {
  const engine: Engine = {
    async runCells({ threads, generations }, { onCell }) {
      const cells = threads.flatMap((count) => generations.map((generation) => cell(generation, count)));
      cells.forEach(onCell);
      return { cells, partial: false };
    },
    calibrate: () => Promise.reject(new Error('not asked for')),
  };
  const nothing = (): void => {};
  const { signal } = new AbortController();
  const hooks: RunHooks = { onPlan: nothing, onCell: nothing, onProgress: nothing, onNote: nothing, signal };
  const options = {
    ...VALIDATE_QUICK,
    threads: [1, 2],
    generations: ['locked', 'lockless'],
    modelSeconds: 0.01,
  } as const;
  const result = await validate(loadPreset('this-class').config, options, engine, hooks);
  expect(comparisonSchema.parse(result).rows).toHaveLength(4);
  for (const { model } of result.rows) expect(model).toBeGreaterThan(10_000);
  expect(renderComparison(result)).toContain('lockless');
});
