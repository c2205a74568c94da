import { FAULT_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, LINE } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import { bellRegions, initBells, initPorts, portRegions } from '../testing/arena-parts.ts';
import { startWorker } from '../testing/start-worker.ts';
import {
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_PRIQEN,
  CR0_SMMUEN,
  initSmmu,
  STE_TRANSLATE,
  smmuPriAnnounceBase,
  smmuWords,
  writeStream,
} from './index.ts';
import { SMMU_CR0 } from './layout.ts';
import type { PriOutcome, PriTask } from './pri.test-worker.ts';

const DEADLINE_MS = 15_000;

const start = (task: PriTask): Promise<PriOutcome> =>
  startWorker(new URL('./pri.test-worker.ts', import.meta.url), task);

test('functions within their credits: no overflow, each group answered once, invalidations completed under load', async () => {
  const functions = 2;
  const credits = 16;
  const size = { functions, credits, groups: 2000, pages: 4, deadlineMs: DEADLINE_MS };
  const smmu = {
    eventQueueEntries: 16,
    commandQueueEntries: 64,
    commandQueues: 2,
    stallMax: 4,
    streams: functions,
    ports: 1,
    priQueueEntries: 32, // the sum of the credits
    priPorts: functions,
  };
  const numbers = Array.from({ length: functions }, (_, i) => i);
  const bells = ['irq', 'hardware', ...numbers.map((i) => `wake${i}`)];
  const arena = Arena.create(
    planArena([
      { name: 'smmu', words: smmuWords(smmu) },
      { name: 'stop', words: LINE },
      { name: 'done', words: LINE },
      { name: 'records', words: 128 * FAULT_WORDS },
      ...bellRegions(bells),
      ...portRegions(numbers.length, credits),
    ]),
  );
  const { words } = arena;
  const base = arena.base('smmu');
  initSmmu(words, base, smmu);
  initBells(arena, bells);
  for (const rid of numbers)
    writeStream(words, base, rid, { config: STE_TRANSLATE, stall: false, substreams: 2, device: rid + 1 });
  initPorts(arena, smmuPriAnnounceBase(words, base), numbers, credits, (port) => `wake${port}`);
  Atomics.store(words, base + SMMU_CR0, CR0_SMMUEN | CR0_EVTQEN | CR0_CMDQEN | CR0_PRIQEN);
  const task = { ...size, shared: arena.share(), func: 0 };
  const control = start({ ...task, role: 'control' });
  const rest = [
    start({ ...task, role: 'hardware' }),
    start({ ...task, role: 'interrupt' }),
    ...numbers.map((func) => start({ ...task, role: 'function', func })),
  ];
  for (const i of numbers) {
    const done = Atomics.waitAsync(words, arena.base('done') + i, 0, DEADLINE_MS);
    if (done.async) await done.value;
  }
  const synced = await control;
  Atomics.store(words, arena.base('stop'), 1);
  for (const name of bells) new Doorbell(words, arena.base(name)).ring();
  const [hardware, interrupt, ...devices] = await Promise.all(rest);
  expect(synced).toMatchObject({ count: 250, bad: 0, detail: { recovered: 0 } });
  for (const device of devices) expect(device).toMatchObject({ count: 2000, bad: 0, detail: { sent: 2000 } });
  expect(interrupt).toMatchObject({
    count: 16_000,
    bad: 0,
    detail: { reported: 16_000, overflows: 0, inconsistent: 0 },
  });
  expect(hardware.detail).toMatchObject({
    pageRequests: 16_000,
    priOverflows: 0,
    autoSuccess: 0,
    autoFailure: 0,
    priResponses: 4000,
    priStrays: 0,
    atcInvalidations: 500,
    atcTimeouts: 0,
  });
}, 30_000);
