import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type FakeBehaviour, type FakeEngine, fakeEngine } from '../../test/fake-engine.ts';
import { resultSchema } from '../result/schema.ts';
import { GENERATIONS, MISBEHAVIOURS } from '../scenario/parameters.ts';
import { main } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ran {
  code: number;
  out: string;
  err: string;
  engine: FakeEngine;
}

async function faultline(
  line: string,
  behaviour: FakeBehaviour & { availableBytes?: number; abortAfterMs?: number } = {},
): Promise<Ran> {
  const engine = fakeEngine(behaviour);
  const text = { out: '', err: '' };
  const controller = new AbortController();
  const timer =
    behaviour.abortAfterMs === undefined ? undefined : setTimeout(() => controller.abort(), behaviour.abortAfterMs);
  const code = await main(line.split(' ').filter(Boolean), {
    engine,
    explorer: { explore: () => Promise.reject(new Error('not asked here')) },
    litmus: () => Promise.reject(new Error('not asked here')),
    loadScenarios: () => Promise.resolve([]),
    out: { write: (part: string) => (text.out += part) },
    err: { write: (part: string) => (text.err += part) },
    signal: controller.signal,
    availableBytes: behaviour.availableBytes ?? 2 ** 40,
  });
  clearTimeout(timer);
  return { code, ...text, engine };
}

const file = (name: string, text?: string): string => {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

test('every option reaches the engine', async () => {
  const { code, engine } = await faultline(
    'stress --iommu vtd --threads 8,64 --generations locked,lockless --faults 200000 --repeats 2 --devices 2 --queue-entries 256 ' +
      '--pages-per-job 16 --group-pages 12 --atc --misbehave responseLost --handlers 3 --max-active 7 --scanner 500 --timeout-ms 900 --seed 42 --threads-per-worker 4 ' +
      '--stall-max 99 --credits 640 --sharing shared --spins 5 --replace-ms 20 --light-flush --handler noop --stages --compare-scanner',
  );
  expect(code).toBe(0);
  expect(engine.asked).toEqual([
    {
      iommu: 'vtd',
      threads: [8, 64],
      generations: ['locked', 'lockless'],
      faults: 200000,
      repeats: 2,
      devices: 2,
      queueEntries: 256,
      pagesPerJob: 16,
      groupPages: 12,
      atc: true,
      misbehave: 'responseLost',
      handlers: 3,
      maxActive: 7,
      scanner: 500,
      timeoutMs: 900,
      compareScanner: true,
      spins: 5,
      seed: 42,
      threadsPerWorker: 4,
      stallMax: 99,
      sharing: 'shared',
      replaceEveryMs: 20,
      lightFlush: true,
      handler: 'noop',
      stages: true,
      credits: 640,
    },
  ]);
});

test.each([
  ['stress --generations v8', '--generations = "v8": must be one of locked, v7, mainline, lockless, adaptive'],
  ['stress --threads 0', '--threads = 0: must be a whole number from 1 to 4096'],
  ['stress --threads 8,,16', '--threads = "": must be a whole number from 1 to 4096'],
  ['stress --faults -5', '--faults = -5: must be a whole number from 1 to 2147483647'],
  ['stress --handlers 0', '--handlers = 0: must be a whole number from 1 to 1024'],
  ['stress --handlers 2x', '--handlers = "2x": must be a whole number from 1 to 1024'],
  ['repro --queue-entries 1000', '--queue-entries = 1000: must be a power of two from 8 to 524288'],
  ['stress --threads 8 --devices 16', '--devices = 16: must not exceed the smallest thread count, 8'],
  ['stress --replace-ms -1', '--replace-ms = -1: must be a whole number from 0 to 3600000'],
  ['stress --scenario nowhere.yaml', '--scenario = "nowhere.yaml": cannot be read: ENOENT'],
  ['stress --json nowhere/x.json', '--json = "nowhere/x.json": cannot be written: ENOENT'],
  ['stress --perfetto nowhere/x', '--perfetto = "nowhere/x": cannot be written: ENOENT'],
  [
    'stress --perfetto-sample 0',
    "option '--perfetto-sample <n>' argument '0' is invalid. It must be a whole number from 1 to 1000000.",
  ],
  ['stress --faults 5 --seconds 1', "option '--faults <n>' cannot be used with option '--seconds <s>'"],
  ['stress --group-pages 8', '--group-pages = 8: a stalled access is a group of its own: needs vtd or amd'],
  [
    'stress --iommu vtd --misbehave rudely',
    '--misbehave = "rudely": must be one of creditsExceeded, groupIndexReused,',
  ],
  ['stress --frequency 3', "unknown option '--frequency'"],
  ['stress now', 'too many arguments'],
  ['strain', "unknown command 'strain'"],
])('%s: one line, exit code 2, nothing is run', async (line, message) => {
  const { code, err, out, engine } = await faultline(line);
  expect(err).toContain(`error: ${message}`);
  expect(err.trimEnd().split('\n').length).toBeLessThanOrEqual(2); // the second is a spelling that commander suggests
  expect(err).not.toMatch(/\n\s+at /);
  expect(code).toBe(2);
  expect(out).toBe('');
  expect(engine.asked).toEqual([]);
});

test('--help is no error', async () => {
  const { code, out } = await faultline('stress --help');
  expect(code).toBe(0);
  expect(out).toContain('--threads-per-worker <n>');
  for (const name of MISBEHAVIOURS) expect(out).toContain(name);
});

test('a scenario sets parameters, and options win over it', async () => {
  const path = file('ok.yaml', 'threads: [16, 32]\nfaults: 1000\nhandlers: 5\n');
  const { engine } = await faultline(`stress --scenario ${path} --handlers 6`);
  expect(engine.asked[0]).toMatchObject({ threads: [16, 32], faults: 1000, handlers: 6 });
  expect(engine.asked[0].seconds).toBeUndefined();
});

test('an option’s length replaces the other kind of length in a scenario', async () => {
  const path = file('length.yaml', 'faults: 1000\n');
  const { engine } = await faultline(`stress --quick --scenario ${path} --seconds 2`);
  expect(engine.asked[0].seconds).toBe(2);
  expect(engine.asked[0].faults).toBeUndefined();
});

test('what is wrong in a scenario is said with its line, also what depends on other values', async () => {
  const unknown = file('bad.yaml', 'seed: 1\nthread: 8\n');
  expect(await faultline(`stress --scenario ${unknown}`)).toMatchObject({
    code: 2,
    err: `error: ${unknown}:2: thread: is no parameter\n`,
  });
  const devices = file('devices.yaml', 'seed: 1\ndevices: 9\n');
  expect((await faultline(`stress --scenario ${devices}`)).err).toBe(
    `error: ${devices}:2: devices = 9: must not exceed the smallest thread count, 8\n`,
  );
});

test('a run that does not fit into memory is refused with the figure', async () => {
  const { code, err, engine } = await faultline('stress', { availableBytes: 2 ** 30 });
  expect(code).toBe(2);
  expect(err).toMatch(/^error: 512 threads need about \d+ MiB .* 1024 MiB are available/);
  expect(engine.asked).toEqual([]);
});

test('repro calibrates, but leaves alone what the user chose', async () => {
  const first = await faultline('repro --quick');
  expect(first.engine.asked[0]).toMatchObject({ scanner: 777, timeoutMs: 99, credits: 13_524 });
  expect(first.out).toContain('Chosen by the test.');
  const second = await faultline('repro --quick --scanner 5');
  expect(second.engine.asked[0]).toMatchObject({ scanner: 5, timeoutMs: 99, credits: 13_524 });
  const third = await faultline('repro --quick --timeout-ms 198');
  expect(third.engine.asked[0]).toMatchObject({ timeoutMs: 198, credits: 27_049 }); // as many as that takes a quarter of
  const fourth = await faultline('repro --quick --credits 640');
  expect(fourth.engine.asked[0]).toMatchObject({ timeoutMs: 99, credits: 640 });
});

test('repro measures once more without the scanner, unless told not to', async () => {
  const { engine, out } = await faultline('repro --quick');
  expect(engine.asked.map((parameters) => parameters.compareScanner)).toEqual([true]);
  expect(out).toContain('page scanner once round in 777 ms');
  expect(out).toContain('page scanner off');
  const without = await faultline('repro --quick --no-compare-scanner');
  expect(without.out).not.toContain('page scanner off');
});

test('without a terminal, a line for each cell goes to stderr', async () => {
  const { err, out } = await faultline('stress --quick');
  expect(err.trimEnd().split('\n')).toHaveLength(1 + 2 * GENERATIONS.length);
  expect(err).toContain('10/10 adaptive, 32 threads, repeat 1: 20 k/s, p99 9 µs');
  expect(out).toContain('balanced');
});

test('writes the result as JSON that its schema takes, and the report', async () => {
  const [json, html] = [file('out.json'), file('out.html')];
  await faultline(`stress --quick --json ${json} --html ${html}`);
  const result = resultSchema.parse(JSON.parse(readFileSync(json, 'utf8')));
  expect(result).toMatchObject({ command: 'stress', partial: false });
  expect(result.cells).toHaveLength(2 * GENERATIONS.length);
  expect(readFileSync(html, 'utf8')).toMatch(/^<!doctype html>/);
});

test('books that do not balance fail the run and name the figure', async () => {
  const { code, err } = await faultline('stress --quick --generations v7', {
    spoil: (cell) => (cell.threads === 32 ? { ...cell, leaked: { ...cell.leaked, references: 2 } } : cell),
  });
  expect(code).toBe(1);
  expect(err).toContain('books do not balance: v7, 32 threads, repeat 1: leaked.references = 2: references not put');
});

test('interrupted, it prints what was measured, marks it, and exits with 130', async () => {
  const json = file('partial.json');
  const { code, out } = await faultline(`stress --quick --json ${json}`, { waitAfter: 3, abortAfterMs: 20 });
  expect(code).toBe(130);
  expect(out).toContain('PARTIAL: interrupted, 3 cells were measured');
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ partial: true, cells: { length: 3 } });
});

test('an engine that does not stop is left behind after 2 s', async () => {
  const started = performance.now();
  const { code, out, err } = await faultline('stress --quick', { waitAfter: 1, abortAfterMs: 20, deaf: true });
  expect(code).toBe(130);
  expect(out).toContain('PARTIAL');
  expect(err).toContain('threads were still running 2000 ms after the signal');
  expect(performance.now() - started).toBeLessThan(4000);
});

test('an engine that fails is reported with its stack, after what was measured; exit code 1', async () => {
  const { code, err, out } = await faultline('stress --quick', {
    spoil: (cell) => {
      if (cell.threads === 32) throw new Error('worker 3 died');
      return cell;
    },
  });
  expect(code).toBe(1);
  expect(out).toContain(`PARTIAL: interrupted, ${GENERATIONS.length} cells were measured`);
  expect(err).toMatch(/faultline failed: Error: worker 3 died\n\s+at /);
});

test('decode and pt are commands', async () => {
  const pt = await faultline('pt --format amdv1 --map 0:1G:2M');
  expect({ code: pt.code, err: pt.err }).toEqual({ code: 0, err: '' });
  expect(pt.out).toContain('0x000000000000 → 0x000040000000  2 MiB');
  const decode = await faultline('decode --family vtd --queue evtq');
  expect({ code: decode.code, err: decode.err }).toEqual({
    code: 2,
    err: 'error: --queue = "evtq": vtd has prq, iq, fault\n',
  });
  expect((await faultline('pt --format amdv1 --map 0:1')).err).toBe(
    'error: --map = "0:1": must be IOVA:OA:LENGTH or IOVA:OA:LENGTH:prot\n',
  );
});
