import { FAULT_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { LINE, mutexOwner } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { priPortDropped } from '../pcie/index.ts';
import { bellRegions, initBells, initPorts, portRegions } from '../testing/arena-parts.ts';
import { startWorker } from '../testing/start-worker.ts';
import type { ChurnOutcome, ChurnTask } from './churn.test-worker.ts';
import { initVtd, readVtdStats, vtdAnnounceBase, vtdWords } from './index.ts';
import { VTD_FSTS, VTD_IQ_LOCK, VTD_PQH, VTD_PQT, VTD_PRS } from './layout.ts';
import { FSTS_QUEUE_ERRORS } from './registers.ts';

const DEADLINE_MS = 20_000;

const start = (task: ChurnTask): Promise<ChurnOutcome> =>
  startWorker(new URL('./churn.test-worker.ts', import.meta.url), task);

describe('domains that come and go under a device at full rate', () => {
  test.each([
    ['every invalidation completes', 0, 20, 96],
    ['with more requests than descriptors', 0, 10, 160],
    ['some invalidations never complete, and time out', 7, 5, 96],
  ])(
    '%s: nothing is reported after a detach, and every group is answered once',
    async (_name, sulks, rounds, credits) => {
      const devices = 2;
      const vtd = { requestOrder: 0, invalidationOrder: 0, rids: devices + 1, ports: devices, threads: 3 };
      const numbers = Array.from({ length: devices }, (_, i) => i);
      const bells = ['irq', 'hardware', ...numbers.map((i) => `wake${i}`)];
      const arena = Arena.create(
        planArena([
          { name: 'vtd', words: vtdWords(vtd) },
          { name: 'left', words: LINE },
          { name: 'stop', words: LINE },
          ...['successes', 'invalids', 'reports'].map((name) => ({ name, words: devices * LINE })),
          { name: 'records', words: 65 * FAULT_WORDS },
          ...bellRegions(bells),
          ...portRegions(numbers.length, credits),
        ]),
      );
      const { words } = arena;
      const base = arena.base('vtd');
      initVtd(words, base, vtd);
      initBells(arena, bells);
      words[arena.base('left')] = devices;
      const rids = numbers.map((port) => port + 1);
      initPorts(arena, vtdAnnounceBase(words, base), rids, credits, (port) => `wake${port}`);
      const task = { shared: arena.share(), devices, device: 0, rounds, sulks, deadlineMs: DEADLINE_MS };
      const outcomes = await Promise.all([
        start({ ...task, role: 'hardware' }),
        start({ ...task, role: 'interrupt' }),
        start({ ...task, role: 'driver' }),
        ...numbers.map((device) => start({ ...task, role: 'device', device })),
      ]);
      for (const outcome of outcomes) expect(outcome.bad, JSON.stringify(outcome)).toBe(0);
      const sent = outcomes.filter(({ role }) => role === 'device').reduce((sum, outcome) => sum + outcome.sent, 0);
      const answered = outcomes
        .filter(({ role }) => role === 'device')
        .reduce((sum, outcome) => sum + outcome.answered, 0);
      const stats = readVtdStats(words, base);
      const responded = outcomes.find(({ role }) => role === 'interrupt')?.answered ?? 0;
      expect([answered, responded + stats.autoSuccess + stats.autoInvalid]).toEqual([sent, sent]);
      expect(stats).toMatchObject({
        requests: 2 * sent,
        responses: responded,
        strayResponses: 0,
        queueErrors: 0,
        completionErrors: 0,
      });
      expect(stats.autoInvalid).toBeGreaterThan(0);
      expect(stats.timeouts > 0).toBe(sulks > 0);
      expect(mutexOwner(words, base + VTD_IQ_LOCK)).toBe(0);
      expect([words[base + VTD_FSTS] & FSTS_QUEUE_ERRORS, words[base + VTD_PRS]]).toEqual([0, 0]);
      expect(words[base + VTD_PQH]).toBe(words[base + VTD_PQT]);
      for (const port of numbers) expect(priPortDropped(words, arena.base(`port${port}`))).toBe(0);
    },
    DEADLINE_MS + 10_000,
  );
});
