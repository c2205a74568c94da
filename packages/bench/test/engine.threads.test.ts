// The engine as it is shipped, on real threads: whatever is asked of a cell, its books balance and its threads end.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ActorSystem } from '@faultline/core/actor';
import type { Arena } from '@faultline/core/memory';
import { readDeviceResults } from '@faultline/hw/accelerator';
import { readSmmuStats } from '@faultline/hw/smmu-v3';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkBooks } from '../src/result/books.ts';
import { GENERATIONS, IOMMUS, type StressParameters } from '../src/scenario/parameters.ts';
import { CTL_GO } from '../src/stress/control.ts';
import { IOMMU_REGION } from '../src/stress/family/family.ts';
import { resultBase } from '../src/stress/plan.ts';
import type { Cell } from '../src/stress/types.ts';
import { waitWord } from '../src/stress/wait-word.ts';
import { engine, growAll, hooksFor, runOrder, runTiny, ThreadWatch, tiny } from './tiny-engine.ts';

const FAULTS = 3000;
/** What the engine may take to end its threads. */
/** Well below the length of what is stopped, whatever else the machine does. */
const STOP_MS = 10_000;
/** A thread that died can leave others waiting for it: they are given time before they are terminated. */
const DIED_MS = 4000;

vi.setConfig({ testTimeout: 20_000 }); // a hang, not a machine that has other work

let watch: ThreadWatch;
beforeEach(() => {
  watch = new ThreadWatch();
});
afterEach(() => {
  watch.stop();
  vi.restoreAllMocks();
  expect(watch.alive.map(({ threadName }) => threadName)).toEqual([]);
});

function expectBalanced(cell: Cell): void {
  const { faults, reported, answered, automatic, resumed } = cell;
  expect(checkBooks(cell)).toEqual([]);
  const byDriver = faults - automatic;
  expect({ reported, answered, resumed }).toEqual({ reported: byDriver, answered: byDriver, resumed: faults });
  expect(cell.histogram.reduce((sum, [, count]) => sum + count, 0)).toBe(faults);
  expect(faults).toBeGreaterThan(0);
}

/** Waits until the cell whose hosts have just started has had a fault answered and its domain attached so many `times`: at first,
 * and with each replacement. Or until aborted. */
async function progress(arena: Arena, system: ActorSystem, times: number, signal: AbortSignal): Promise<void> {
  const { words } = arena;
  const results = resultBase(arena, 0);
  let attached = 0;
  system.on('transition', ({ actor, state }) => {
    if (actor === 'domain' && state === 'attached') attached++;
  });
  await waitWord(words, results, () => attached >= times && readDeviceResults(words, results).resumed > 0, signal);
}

/** Pages are taken away from who faulted them in, but where they are leased to it. */
function expectRefaults({ generation, refaults, faults }: Cell): void {
  if (generation === 'adaptive') expect(refaults).toBeLessThan(faults / 20);
  else expect(refaults).toBeGreaterThan(0);
}

describe('the books balance, and a budget is used up to the last fault:', () => {
  const variants: [string, Partial<StressParameters>][] = [
    ...GENERATIONS.map((generation): [string, Partial<StressParameters>] => [
      generation,
      { generations: [generation] },
    ]),
    ['one thread', { threads: [1], handlers: 1, pagesPerJob: 1, faults: 500 }],
    ['shared counters', { sharing: 'shared' }],
    ['two devices', { devices: 2 }],
    ['packed threads, the last worker not full', { threadsPerWorker: 4 }],
    ['more devices than a mailbox has room for', { threads: [40], devices: 40, threadsPerWorker: 10 }],
    ['three handlers, one active, locks that spin', { handlers: 3, maxActive: 1, spins: 100 }],
    ['fewer faults than threads', { threads: [8], faults: 5 }],
  ];
  test.each(variants)('%s', async (_, over) => {
    const faults = over.faults ?? FAULTS;
    const cell = await runTiny({ faults, ...over });
    expectBalanced(cell);
    expect(cell).toMatchObject({ faults, timeouts: 0, refaults: 0, overflows: 0 });
    // Jobs of 8 pages each, but for those that the budget cut short: one a thread at most.
    const pages = over.pagesPerJob ?? 8;
    expect(cell.jobs).toBeLessThanOrEqual(faults / pages);
    expect(cell.jobs).toBeGreaterThan(faults / pages - cell.threads - 1);
  });

  test('a handler that does nothing: an access is done once it is resumed', async () => {
    const over = { handler: 'noop', faults: FAULTS } as const;
    const cell = await runTiny(over);
    expectBalanced(cell);
    expect(cell).toMatchObject({ faults: FAULTS, refaults: 0 });
    expect(cell.jobs).toBeGreaterThan(FAULTS / 8 - cell.threads - 1);
  });

  test('by seconds', async () => {
    const cell = await runTiny({ seconds: 0.1 });
    expectBalanced(cell);
    expect(cell.seconds).toBeGreaterThanOrEqual(0.1);
    expect(cell.faultsPerSecond).toBeCloseTo(cell.faults / cell.seconds);
  });

  test('a queue of 8 records and 4 stalls at a time: the others are held back, none is lost', async () => {
    let stats = {};
    const over = { threads: [8], pagesPerJob: 16, queueEntries: 8, stallMax: 4, faults: FAULTS };
    const cell = await runTiny(over, ({ arena }) => {
      stats = readSmmuStats(arena.words, arena.base(IOMMU_REGION));
    });
    expectBalanced(cell);
    expect(cell).toMatchObject({ faults: FAULTS, overflows: 0 });
    expect(stats).toMatchObject({ stalls: FAULTS, heldForTag: expect.toSatisfy((count: number) => count > 0) });
  });

  test('a queue of 8 records that fills: the same', async () => {
    let stats = {};
    const over = { threads: [8], pagesPerJob: 16, queueEntries: 8, faults: FAULTS };
    const cell = await runTiny(over, ({ arena }) => {
      stats = readSmmuStats(arena.words, arena.base(IOMMU_REGION));
    });
    expectBalanced(cell);
    expect(cell).toMatchObject({ faults: FAULTS, overflows: 0 });
    expect(stats).toMatchObject({ heldForEntry: expect.toSatisfy((count: number) => count > 0) });
  });
});

describe.each(IOMMUS)('behind %s', (iommu) => {
  test.each(GENERATIONS)('two devices, a budget, then pages taken away and domains replaced: %s', async (each) => {
    const parameters = tiny({
      iommu,
      generations: [each],
      threads: [6],
      threadsPerWorker: 2,
      devices: 2,
      pagesPerJob: 16,
    });
    await engine.onStage({ ...parameters, faults: FAULTS }, new AbortController().signal, async (stage) => {
      await growAll(stage);
      const still = await runOrder(stage);
      expectBalanced(still);
      expect(still).toMatchObject({ faults: FAULTS, timeouts: 0, refaults: 0, overflows: 0, automatic: 0 });
      const moving = await runOrder(stage, { faults: undefined, seconds: 0.12 }, { scanner: 2, replaceEveryMs: 5 });
      expectBalanced(moving);
      expectRefaults(moving);
    });
  });

  test('aborted in the middle of a cell: ends soon, the cell balances', async () => {
    const abort = new AbortController();
    const cell = await engine.onStage(tiny({ iommu, seconds: 60 }), abort.signal, async (stage) => {
      await growAll(stage);
      const { words } = stage.arena;
      const results = resultBase(stage.arena, 0);
      const cell = runOrder(stage);
      await waitWord(words, results, () => readDeviceResults(words, results).resumed > 0);
      abort.abort();
      return cell;
    });
    expectBalanced(cell);
    expect(cell.seconds).toBeLessThan(STOP_MS / 1000);
  });

  test('a device thread that dies stops the run', async () => {
    const run = engine.onStage(tiny({ iommu, seconds: 60 }), new AbortController().signal, async (stage) => {
      await growAll(stage);
      const cell = runOrder(stage);
      await waitWord(stage.arena.words, stage.arena.base('control') + CTL_GO, (number) => number === 1);
      await watch.named('device.worker').terminate();
      return cell;
    });
    await expect(run).rejects.toThrow('device.worker: exited with code 1');
  });
});

test.each([
  ['vtd', 128],
  ['amd', 256],
] as const)(
  'more threads than the queue of %s has room for: the hardware answers, and it is counted',
  async (iommu, queueEntries) => {
    const cell = await runTiny({ iommu, threads: [512], threadsPerWorker: 128, queueEntries, faults: 40_000 });
    expectBalanced(cell);
    expect(cell).toMatchObject({ faults: 40_000, timeouts: 0 });
    expect(cell.overflows).toBeGreaterThan(0);
    expect(cell.automatic).toBeGreaterThan(0);
  },
);

describe('under load', () => {
  test.each(GENERATIONS)('domains are replaced, pages taken away, accesses too late: %s', async (each) => {
    const parameters = tiny({ threads: [8], generations: [each], devices: 2, pagesPerJob: 128, seconds: 0.12 });
    await engine.onStage(parameters, new AbortController().signal, async (stage) => {
      await growAll(stage);
      for (const lightFlush of [true, false]) {
        const cell = await runOrder(stage, {}, { replaceEveryMs: 5, lightFlush });
        expectBalanced(cell);
        expect(cell.timeouts).toBe(0);
      }
      const patient = await runOrder(stage, {}, { scanner: 5 });
      expectBalanced(patient);
      expect(patient).toMatchObject({ timeouts: 0, scanner: 5 });
      expectRefaults(patient);
      expect(patient.refaults).toBeLessThan(patient.faults);
      const hasty = await runOrder(stage, {}, { scanner: 5, timeoutMs: 1 });
      expectBalanced(hasty);
      expect(hasty.timeouts).toBeGreaterThan(0);
    });
  });

  test('all of it at once', async () => {
    const over = { threads: [8], threadsPerWorker: 3, devices: 2, queueEntries: 8, stallMax: 12, handlers: 3 };
    const more = {
      maxActive: 2,
      scanner: 5,
      replaceEveryMs: 5,
      lightFlush: true,
      sharing: 'shared',
      spins: 10,
    } as const;
    expectBalanced(await runTiny({ ...over, ...more, pagesPerJob: 16, seconds: 0.2 }));
  });
});

test('cells follow one another on the same threads, each from a fresh arena', async () => {
  const parameters = tiny({ threads: [2, 6], generations: ['v7', 'lockless'], faults: FAULTS, devices: 2 });
  await engine.onStage(parameters, new AbortController().signal, async (stage) => {
    await growAll(stage);
    for (const order of engine.planOrders(parameters)) {
      const cell = await runOrder(stage, order);
      expectBalanced(cell);
      expect(cell).toMatchObject({ faults: FAULTS, generation: order.generation, threads: order.threads });
    }
  });
  expect(watch.threads.length).toBe(6 + 2 * (2 + 2)); // device threads; handlers and hosts a generation
});

test('runCells warms up, tells its plan and its cells in order, and is done', async () => {
  const hooks = hooksFor(new AbortController().signal);
  const { cells, partial } = await engine.runCells(tiny({ faults: FAULTS, repeats: 2 }), hooks);
  expect(partial).toBe(false);
  expect(hooks.planned[0]).toBe(2);
  expect(cells.map(({ repeat }) => repeat)).toEqual([0, 1]);
  expect(hooks.told).toEqual(cells);
  for (const cell of cells) expectBalanced(cell);
  expect(hooks.done).toEqual([...hooks.done].sort((a, b) => a - b));
  expect(Math.max(...hooks.done)).toBeLessThanOrEqual(hooks.planned[1]);
});

describe('aborted', () => {
  test.each([0, 5])(
    'in the middle of a cell, domains replaced every %i ms: ends soon, the cell balances',
    async (every) => {
      const abort = new AbortController();
      let running = '';
      let at = 0;
      const { start } = ActorSystem;
      vi.spyOn(ActorSystem, 'start').mockImplementation(async (options) => {
        const system = await start(options);
        const underWay = async (): Promise<void> => {
          await progress(options.arena, system, every === 0 ? 1 : 2, abort.signal);
          at = performance.now();
          abort.abort();
        };
        if (running.startsWith('lockless')) void underWay(); // not while it warms up
        return system;
      });
      const hooks = {
        ...hooksFor(abort.signal),
        onProgress: (_done: number, _total: number, label: string): void => {
          running = label;
        },
      };
      const parameters = tiny({ seconds: 60, repeats: 3, replaceEveryMs: every });
      const { cells, partial } = await engine.runCells(parameters, hooks).finally(() => abort.abort());
      expect(performance.now() - at).toBeLessThan(STOP_MS);
      expect(partial).toBe(true);
      expect(cells.length).toBe(1);
      expectBalanced(cells[0]);
    },
  );

  test('before it starts: nothing is measured', async () => {
    const outcome = await engine.runCells(tiny({ faults: FAULTS }), hooksFor(AbortSignal.abort()));
    expect(outcome).toEqual({ cells: [], partial: true });
  });

  test('while its threads start', async () => {
    const abort = new AbortController();
    const hooks = { ...hooksFor(abort.signal), onProgress: () => abort.abort() };
    const at = performance.now();
    const parameters = tiny({ threads: [40], faults: FAULTS });
    expect(await engine.runCells(parameters, hooks)).toEqual({ cells: [], partial: true });
    expect(performance.now() - at).toBeLessThan(STOP_MS);
    expect(watch.threads.length).toBeLessThan(40);
  });

  test('a process of its own then ends by itself', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'faultline-engine-'));
    const script = join(dir, 'run.mjs');
    const text = `
      const { runCells } = await import(${JSON.stringify(new URL('../dist/stress/run.js', import.meta.url).href)});
      const quiet = () => {};
      const signal = AbortSignal.timeout(600);
      const hooks = { signal, onPlan: quiet, onCell: quiet, onProgress: quiet, onNote: quiet };
      const { partial } = await runCells(${JSON.stringify(tiny({ seconds: 60 }))}, hooks);
      console.log(partial);`;
    writeFileSync(script, text);
    const run = promisify(execFile)(process.execPath, [script], { timeout: 600 + 2 * STOP_MS });
    const { stdout, stderr } = await run.finally(() => rmSync(dir, { recursive: true }));
    expect({ stdout, stderr }).toEqual({ stdout: 'true\n', stderr: '' });
  });
});

describe('a thread that dies stops the run, by name, and all others end:', () => {
  const deaths: [string, RegExp][] = [
    ['device.worker', /^device\.worker: exited with code 1$/],
    ['handler.worker', /^handler\.worker: exited with code 1$/],
    [
      'host',
      /host = "(hardware|interrupt)": died: .*; its actors: (command-queue|event-queue, pri-queue, domain, device:1) /,
    ],
  ];
  test.each(deaths)('%s', async (name, message) => {
    let at = 0;
    const hooks = hooksFor(new AbortController().signal, (label) => {
      if (!label.startsWith('warming up lockless')) return;
      at = performance.now();
      void (name === 'host' ? watch.host() : watch.named(name)).terminate();
    });
    await expect(engine.runCells(tiny({ seconds: 60, replaceEveryMs: 2 }), hooks)).rejects.toThrow(message);
    expect(performance.now() - at).toBeLessThan(DIED_MS);
  });

  test('all device threads of one cause', async () => {
    // No access may take 0 ms: each device thread refuses that as the cell starts.
    const run = engine.onStage(tiny({ faults: FAULTS }), new AbortController().signal, async (stage) => {
      await growAll(stage);
      return runOrder(stage, { timeoutMs: 0 });
    });
    await expect(run).rejects.toThrow(/^device\.worker: DeviceThread: timeoutTicks = 0: /);
  });

  test('between two cells', async () => {
    const run = engine.onStage(tiny({ faults: FAULTS }), new AbortController().signal, async (stage) => {
      await growAll(stage);
      await runOrder(stage);
      await watch.named('handler.worker').terminate();
      return runOrder(stage);
    });
    await expect(run).rejects.toThrow('handler.worker: exited with code 1');
  });

  test('nothing is left waiting in the process', async () => {
    const waiting = process.getActiveResourcesInfo().length;
    const run = engine.onStage(tiny({ seconds: 60 }), new AbortController().signal, async (stage) => {
      await growAll(stage);
      const cell = runOrder(stage);
      await waitWord(stage.arena.words, stage.arena.base('control') + CTL_GO, (number) => number === 1);
      await watch.named('device.worker').terminate();
      return cell;
    });
    await expect(run).rejects.toThrow('device.worker');
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(waiting + 1);
  });
});

describe('planOrders', () => {
  const parameters = tiny({ threads: [8, 2], generations: [...GENERATIONS], repeats: 5, seconds: 1 });
  const plan = (over: Partial<StressParameters> = {}) => engine.planOrders({ ...parameters, ...over });
  const names = (over: Partial<StressParameters> = {}): string[] => plan(over).map(({ generation }) => generation);

  test('has each generation once a repeat, thread counts rising', () => {
    const orders = plan();
    expect(orders.length).toBe(2 * 5 * GENERATIONS.length);
    for (let round = 0; round < 10; round++) {
      const cells = orders.slice(round * GENERATIONS.length, (round + 1) * GENERATIONS.length);
      expect(cells.map(({ generation }) => generation).sort()).toEqual([...GENERATIONS].sort());
      const expected = { threads: round < 5 ? 2 : 8, repeat: round % 5, scanPeriodMs: 0, timeoutMs: 4200, seconds: 1 };
      for (const cell of cells) expect(cell).toMatchObject(expected);
    }
  });

  test('is the same for the same seed, and another for another', () => {
    expect(names({ seed: 7 })).toEqual(names({ seed: 7 }));
    expect(names({ seed: 8 })).not.toEqual(names({ seed: 7 }));
    const firsts = new Set(Array.from({ length: 10 }, (_, round) => names()[round * GENERATIONS.length]));
    expect(firsts.size).toBeGreaterThan(1);
  });

  test('adds one round without the scanner to each thread count, where there is one', () => {
    const scanned = plan({ scanner: 10, compareScanner: true });
    expect(scanned.length).toBe(2 * 6 * GENERATIONS.length);
    for (const threads of [2, 8]) {
      const cells = scanned.filter((cell) => cell.threads === threads);
      expect(cells.slice(0, 5 * GENERATIONS.length).every(({ scanPeriodMs }) => scanPeriodMs === 10)).toBe(true);
      const still = cells.slice(5 * GENERATIONS.length).map(({ scanPeriodMs, repeat }) => [scanPeriodMs, repeat]);
      expect(still).toEqual(Array(GENERATIONS.length).fill([0, 0]));
    }
    expect(plan({ scanner: 0, compareScanner: true }).length).toBe(2 * 5 * GENERATIONS.length);
    expect(plan({ scanner: 10, compareScanner: false }).length).toBe(2 * 5 * GENERATIONS.length);
  });
});
