import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPreset, type ModelConfig, simulate } from '../../model/index.ts';
import { faultsOfTrace, flowsOf } from '../testing/check.ts';
import { decodeTrace } from '../testing/decode.ts';
import { PerfettoFile } from '../trace-file.ts';
import { ModelTrace } from './trace-model.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'perfetto-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const preset = loadPreset('this-class');
test.each([1, 8])('a simulation at grain %i: its faults, each on its way, and its result is the same', (grain) => {
  const { seconds: _, ...rest } = preset.config;
  const config: ModelConfig = {
    ...rest,
    threads: 6,
    devices: 2,
    generation: 'lockless',
    faults: 1500,
    warmupSeconds: 0,
    grain,
  };
  const path = join(folder, 'model.perfetto');
  const file = new PerfettoFile(path);
  const watch = new ModelTrace(file, config);
  const result = simulate(config, 7, watch);
  watch.close();
  file.close();
  expect(result).toEqual(simulate(config, 7));
  expect(watch.stalledFaults).toBe(result.posted);
  expect(watch.resumedFaults).toBe(result.faults);
  const trace = decodeTrace(path);
  const flows = [...flowsOf(trace.events).values()];
  const whole = flows.filter((way) => way.at(-1)?.ends !== '');
  expect(faultsOfTrace(trace).filter((line) => !line.startsWith('flow'))).toEqual([]);
  expect(new Set(whole.map((way) => way.map(({ name }) => name.split(' ')[0]).join(' ')))).toEqual(
    new Set(['stall report handle resume']),
  );
  if (grain === 1) expect([flows.length, whole.length]).toEqual([result.posted, result.faults]);
  const outstanding = trace.events.filter(({ track }) => track === 'outstanding faults');
  expect(outstanding.at(-1)?.value).toBe(result.posted - result.faults);
});
