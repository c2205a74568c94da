import { FAULT_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { priPortDropped } from '../pcie/index.ts';
import { bellRegions, initBells, initPorts, portRegions } from '../testing/arena-parts.ts';
import { startWorker } from '../testing/start-worker.ts';
import { initVtd, PasidTables, readVtdStats, VtdOps, VtdProcedures, vtdAnnounceBase, vtdWords } from './index.ts';
import { deviceEntryAt } from './unit.ts';
import type { Outcome, Task } from './vtd.test-worker.ts';

const DEADLINE_MS = 20_000;

interface Size {
  readonly devices: number;
  readonly groups: number;
  readonly credits: number;
  readonly syncs: number;
}

const start = (task: Task): Promise<Outcome> => startWorker(new URL('./vtd.test-worker.ts', import.meta.url), task);

describe('device, hardware, interrupt and control threads', () => {
  test.each<[string, Size]>([
    ['room enough', { devices: 1, groups: 8000, credits: 64, syncs: 200 }],
    ['more credits than descriptors', { devices: 3, groups: 4000, credits: 128, syncs: 200 }],
  ])(
    '%s: every group is answered once, with Success, and every wait is over',
    async (_name, size) => {
      const { devices, groups, credits, syncs } = size;
      const vtd = { requestOrder: 0, invalidationOrder: 0, rids: devices + 1, ports: devices, threads: 3 };
      const numbers = Array.from({ length: devices }, (_, i) => i);
      const bells = ['irq', 'hardware', ...numbers.map((i) => `wake${i}`)];
      const arena = Arena.create(
        planArena([
          { name: 'vtd', words: vtdWords(vtd) },
          { name: 'left', words: LINE },
          { name: 'records', words: 65 * FAULT_WORDS },
          ...bellRegions(bells),
          ...portRegions(numbers.length, credits),
        ]),
      );
      const { words } = arena;
      const base = arena.base('vtd');
      initVtd(words, base, vtd);
      initBells(arena, bells);
      words[arena.base('left')] = devices + 1;
      const tables = new PasidTables(words, base);
      for (const port of numbers) {
        const rid = port + 1;
        words[deviceEntryAt(words, base, rid)] = port + 1;
        tables.writeContext(rid);
        tables.enablePageRequests(rid, true);
        tables.writePasid(rid, 5, { kind: 'first-level', did: 1 });
      }
      const rids = numbers.map((port) => port + 1);
      initPorts(arena, vtdAnnounceBase(words, base), rids, credits, (port) => `wake${port}`);
      const hardwareDoorbell = new Doorbell(words, arena.base('hardware'));
      const ops = new VtdOps(words, base, 0, { self: { id: 1, spins: 0 }, hardwareDoorbell });
      new VtdProcedures(words, base, { ops, hardwareDoorbell }).enable().next(); // the hardware finds itself switched on
      const task = { shared: arena.share(), devices, device: 0, groups, syncs, deadlineMs: DEADLINE_MS };
      const outcomes = await Promise.all([
        start({ ...task, role: 'hardware' }),
        start({ ...task, role: 'interrupt' }),
        start({ ...task, role: 'control' }),
        ...numbers.map((device) => start({ ...task, role: 'device', device })),
      ]);
      for (const outcome of outcomes) {
        expect(outcome.bad, JSON.stringify(outcome)).toBe(0);
        if (outcome.role === 'device') expect(outcome.count).toBe(groups);
        if (outcome.role === 'control') expect(outcome.count).toBe(syncs);
      }
      const stats = readVtdStats(words, base);
      const total = devices * groups;
      const pump = outcomes.find((outcome) => outcome.role === 'interrupt');
      expect(stats.requests).toBe(2 * total);
      expect(stats.queued + stats.autoSuccess + stats.dropped).toBe(2 * total);
      expect(stats.responses + stats.autoSuccess).toBe(total);
      expect(pump?.count).toBe(stats.responses);
      expect(pump?.pumpCounts).toMatchObject({ reported: stats.queued, refused: 0, overflows: stats.overflows });
      expect(stats).toMatchObject({
        autoInvalid: 0,
        strayResponses: 0,
        timeouts: 0,
        completionErrors: 0,
        abortedWaits: 0,
      });
      expect(stats.queueErrors).toBe(Math.floor(syncs / 16));
      expect(stats.deviceTlb).toBe(devices * syncs);
      for (const port of numbers) expect(priPortDropped(words, arena.base(`port${port}`))).toBe(0);
    },
    DEADLINE_MS + 10_000,
  );
});
