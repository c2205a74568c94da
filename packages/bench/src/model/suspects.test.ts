import { expect, test } from 'vitest';
import {
  loadPreset,
  type ModelConfig,
  type ModelResult,
  modelConfigSchema,
  PRESET_NAMES,
  parameterOf,
  SUSPECT_NAMES,
  SUSPECTS,
  type Suspect,
  simulate,
  withParameter,
} from './index.ts';

const { config } = loadPreset('reporter-arm128');
const busy: ModelConfig = {
  ...config,
  generation: 'locked',
  threads: 64,
  processors: 16,
  handlers: 32,
  maxActive: 8,
  pagesPerJob: 64,
  buffers: 'discard',
  seconds: 0.05,
  warmupSeconds: 0.01,
  grain: 4,
  scanner: { ...(config.scanner as Extract<ModelConfig['scanner'], { kind: 'numa' }>), periodMs: 20, floorMs: 2 },
};

function without(...remove: Suspect[]): ModelResult {
  // A writer is what the mmap lock keeps others out for; it keeps the scanner out, too.
  const buffers = remove.includes('mmapLock') ? 'remap' : 'discard';
  return simulate({ ...busy, buffers, remove }, 1);
}

test.each(SUSPECT_NAMES)('%s: what is taken out is gone from the simulation', (name) => {
  expect(modelConfigSchema.safeParse(SUSPECTS[name].remove(busy)).success).toBe(true);
  const before = simulate({ ...busy, buffers: name === 'mmapLock' ? 'remap' : 'discard' }, 1);
  const after = without(name);
  const seen: Record<Suspect, (result: ModelResult) => number> = {
    scanner: ({ memory }) => memory.taken,
    sharedProcessors: ({ busy: shares }) => shares.processors,
    activeLimit: ({ stages }) => stages.work,
    oneInterruptThread: ({ busy: shares }) => shares.interruptThread,
    locksAndSearch: ({ busy: shares }) => shares.faultLock,
    mmapLock: ({ busy: shares }) => shares.mmapWriter,
    invalidations: ({ busy: shares }) => shares.invalidations,
  };
  expect(seen[name](before)).toBeGreaterThan(0);
  expect(seen[name](after)).toBeLessThan(0.9 * seen[name](before));
});

test('a pair is the same in either order', () => {
  expect(without('scanner', 'mmapLock')).toEqual(without('mmapLock', 'scanner'));
});

test.each(PRESET_NAMES)('%s: each number says where it is from, and can be swept by name', (name) => {
  const preset = loadPreset(name);
  for (const [path, { value }] of Object.entries(preset.parameters))
    expect(parameterOf(preset.config, path)).toBe(value);
  const swept = withParameter(preset.config, 'costs.thread.wake', 12_345);
  expect(parameterOf(swept, 'costs.thread.wake')).toBe(12_345);
  expect(withParameter(swept, 'timeoutMs', 1).timeoutMs).toBe(1);
  expect(() => withParameter(swept, 'costs.nothing', 1)).toThrow('costs.nothing');
  expect(() => parameterOf(swept, 'scanner.nothing')).toThrow('scanner.nothing');
});

test('monotony: a dearer report never lets more faults through, a dearer page never makes them faster', () => {
  // Without lost pages, and a device that waits for nothing but its pages: what is answered is what was wanted.
  const direct: ModelConfig = { ...busy, scanner: { kind: 'none' }, jobComputeNs: 0 };
  const rates = [0, 500, 2000, 8000].map(
    (ns) => simulate(withParameter(direct, 'costs.interrupt.record', ns), 1).faultsPerSecond,
  );
  for (let i = 1; i < rates.length; i++) expect(rates[i]).toBeLessThan(1.05 * rates[i - 1]);
  const means = [500, 4000, 20_000].map(
    (ns) => simulate(withParameter(direct, 'costs.handler.populate', ns), 1).latency.mean,
  );
  for (let i = 1; i < means.length; i++) expect(means[i]).toBeGreaterThan(means[i - 1]);
});
