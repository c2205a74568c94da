// A run's trace, from real threads: what another decoder finds in it are the cell's own books.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { faultsOfTrace, flowsOf } from '../src/perfetto/testing/check.ts';
import { decodeTrace } from '../src/perfetto/testing/decode.ts';
import type { StressParameters } from '../src/scenario/parameters.ts';
import type { Cell } from '../src/stress/types.ts';
import { built } from './built.ts';
import { engine, growAll, tiny } from './tiny-engine.ts';

const { Recorder } = await built<typeof import('../src/perfetto/recorder.ts')>('perfetto/recorder.js');
const { runCell } = await built<typeof import('../src/stress/run-cell.ts')>('stress/run-cell.js');
const FAULTS = 2000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'perfetto-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function traced(sample: number, over: Partial<StressParameters>): Promise<{ cell: Cell; file: string }> {
  const file = join(folder, 'run.perfetto');
  const recorder = new Recorder(file, { sample });
  const parameters = tiny({ faults: FAULTS, ...over });
  const [order] = engine.planOrders(parameters);
  const signal = new AbortController().signal;
  const cell = await engine.onStage(
    parameters,
    signal,
    async (stage) => {
      await growAll(stage);
      return runCell(stage, order, recorder);
    },
    { trace: recorder },
  );
  recorder.close();
  expect(recorder.recorded()).toMatchObject({ cells: 1, lost: 0 });
  expect(readdirSync(folder)).toEqual(['run.perfetto']);
  return { cell, file };
}

const MEMBERS = { iommu: 'vtd', devices: 2, groupPages: 4, queueEntries: 256 } as const;
test.each<[string, Partial<StressParameters>, string[]]>([
  ['stalls, handled by groups', {}, ['stall report handle resume']],
  ['groups of requests', MEMBERS, ['stall report handle resume', 'stall report member resume']],
  ['user space', { iommu: 'amd', queueEntries: 256, handler: 'iommufd' }, ['stall report map resume']],
])('%s: a flow a fault, slices that nest, counters that end at zero', async (_, over, ways) => {
  const { cell, file } = await traced(1, over);
  const trace = decodeTrace(file);
  expect(faultsOfTrace(trace)).toEqual([]);
  const flows = [...flowsOf(trace.events).values()];
  expect(flows.length).toBe(cell.faults);
  const names = flows.map((way) => way.map(({ name }) => name.split(' ')[0]).join(' '));
  expect([...new Set(names)].sort()).toEqual(ways);
  const resumed = trace.events.filter(({ name }) => name === 'resume').length;
  expect(resumed).toBe(cell.faults);
  const counters = Map.groupBy(
    trace.events.filter(({ type }) => type === 'COUNTER'),
    ({ track }) => track,
  );
  const outstanding = [...counters].filter(([track]) => track.endsWith('outstanding faults'));
  expect(outstanding.length).toBe(1 + (over.devices ?? 1));
  for (const [, events] of outstanding) expect(events.at(-1)?.value).toBe(0);
  const fill = [...counters].find(([track]) => track.endsWith('fill'))?.[1] ?? [];
  expect(Math.max(...fill.map(({ value }) => value))).toBeGreaterThan(0);
  expect(fill.at(-1)?.value).toBe(0);
});

test('one fault in seven: so many of each device thread, whole ways all the same', async () => {
  const { cell, file } = await traced(7, {});
  const trace = decodeTrace(file);
  expect(faultsOfTrace(trace)).toEqual([]);
  const flows = flowsOf(trace.events).size;
  expect(Math.abs(flows - cell.faults / 7)).toBeLessThanOrEqual(6); // threads: each has a rest
});
