import { FAULT_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { startWorker } from '../testing/start-worker.ts';
import {
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_SMMUEN,
  initSmmu,
  initStallPort,
  readSmmuStats,
  STE_TRANSLATE,
  smmuAnnounceBase,
  smmuWords,
  stallPortWords,
  writeStream,
} from './index.ts';
import { SMMU_CR0 } from './layout.ts';
import type { Outcome, Task } from './smmu.test-worker.ts';

const DEADLINE_MS = 20_000;

interface Size {
  readonly devices: number;
  readonly faults: number;
  readonly capacity: number;
  readonly eventQueueEntries: number;
  readonly commandQueueEntries: number;
  readonly stallMax: number;
}

const start = (task: Task): Promise<Outcome> => startWorker(new URL('./smmu.test-worker.ts', import.meta.url), task);

async function run(size: Size): Promise<{ outcomes: Outcome[]; stats: ReturnType<typeof readSmmuStats> }> {
  const { devices, faults, capacity, eventQueueEntries, commandQueueEntries, stallMax } = size;
  const smmu = {
    eventQueueEntries,
    commandQueueEntries,
    commandQueues: 2,
    stallMax,
    streams: devices + 1,
    ports: devices,
  };
  const numbers = Array.from({ length: devices }, (_, i) => i);
  const bells = ['irq', 'hardware', ...numbers.map((i) => `wake${i}`)];
  const arena = Arena.create(
    planArena([
      { name: 'smmu', words: smmuWords(smmu) },
      { name: 'stop', words: LINE },
      { name: 'records', words: 64 * FAULT_WORDS },
      ...bells.map((name) => ({ name, words: doorbellWords() })),
      ...numbers.map((i) => ({ name: `port${i}`, words: stallPortWords(capacity) })),
    ]),
  );
  const { words } = arena;
  const base = arena.base('smmu');
  initSmmu(words, base, smmu);
  for (const name of bells) initDoorbell(words, arena.base(name));
  for (const port of numbers) {
    const stream = port + 1; // the stream's number less one is what its device posts in pageHi
    writeStream(words, base, stream, { config: STE_TRANSLATE, stall: true, substreams: 2, device: port });
    initStallPort(words, arena.base(`port${port}`), {
      capacity,
      port,
      streamId: stream,
      substreamId: 1,
      wakeAt: arena.base(`wake${port}`),
      announceBase: smmuAnnounceBase(words, base),
      doorbellBase: arena.base('hardware'),
    });
  }
  Atomics.store(words, base + SMMU_CR0, CR0_SMMUEN | CR0_EVTQEN | CR0_CMDQEN);
  const task = { shared: arena.share(), ports: devices, faults, perRound: capacity, deadlineMs: DEADLINE_MS };
  const hosts = [start({ ...task, role: 'hardware', port: 0 }), start({ ...task, role: 'interrupt', port: 0 })];
  const done = await Promise.all(numbers.map((port) => start({ ...task, role: 'device', port })));
  Atomics.store(words, arena.base('stop'), 1);
  for (const name of ['irq', 'hardware']) new Doorbell(words, arena.base(name)).ring();
  const outcomes = [...done, ...(await Promise.all(hosts))];
  return { outcomes, stats: readSmmuStats(words, base) };
}

describe('device, hardware and interrupt threads', () => {
  test.each([
    [
      'room enough',
      { devices: 1, faults: 20_000, capacity: 64, eventQueueEntries: 128, commandQueueEntries: 128, stallMax: 256 },
    ],
    [
      'a tight event queue',
      { devices: 2, faults: 10_000, capacity: 32, eventQueueEntries: 2, commandQueueEntries: 16, stallMax: 256 },
    ],
    [
      'tight everything',
      { devices: 3, faults: 3_000, capacity: 16, eventQueueEntries: 4, commandQueueEntries: 2, stallMax: 5 },
    ],
  ])(
    '%s: every fault is reported once, in its order, and resumed',
    async (_name, size) => {
      const { outcomes, stats } = await run(size);
      const total = size.devices * size.faults;
      for (const outcome of outcomes) {
        expect(outcome.bad, JSON.stringify(outcome)).toBe(0);
        if (outcome.role === 'device') expect(outcome.count).toBe(size.faults);
        if (outcome.role === 'interrupt')
          expect(outcome.pumpCounts).toMatchObject({ reported: total, refused: 0, unknownStream: 0 });
      }
      expect(stats).toMatchObject({
        stalls: total,
        events: total,
        retried: total,
        aborted: 0,
        terminated: 0,
        strays: 0,
      });
      expect(stats).toMatchObject({ overflows: 0, dropped: 0, commandErrors: 0 });
      expect(stats.peakStalls).toBeLessThanOrEqual(size.stallMax);
    },
    DEADLINE_MS + 10_000,
  );
});
