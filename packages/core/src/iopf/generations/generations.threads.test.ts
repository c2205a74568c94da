import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Arena, planArena } from '../../memory/index.ts';
import { attachDomain } from '../attach.ts';
import { sumBooks } from '../books.ts';
import { allocDomain } from '../domain.ts';
import { HANDLER_NONE, HANDLER_NOOP } from '../layout.ts';
import { domainSteps, priOffSteps } from '../pri-off.ts';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
} from '../record.ts';
import { type IopfConfig, IopfSystem, initIopf, iopfRegions } from '../system.ts';
import { CountingOps } from '../testing/answer-log.ts';
import { WorkSink } from '../work-queue.ts';
import { GENERATIONS, openFaultPath } from './index.ts';

const VARIANTS = [...GENERATIONS.map((generation) => [generation, 'split'] as const), ['lockless', 'shared'] as const];
const DEVICES = 2;
const PER_DEVICE = 20_000;
const HANDLERS = 2;

describe.each(VARIANTS)('%s (%s), two handler threads', (generation, sharing) => {
  test('each group is answered once, PRI-off included, and nothing is left', async () => {
    const config: IopfConfig = {
      devices: DEVICES,
      domains: 4,
      threads: 1 + HANDLERS,
      requests: 4096,
      workEntries: 512,
      sharing,
      checked: true,
    };
    const arena = Arena.create(
      planArena([
        ...iopfRegions(config),
        { name: 'test.answers', words: DEVICES * PER_DEVICE },
        { name: 'test.stop', words: 1 },
      ]),
    );
    initIopf(arena, config);
    const { words } = arena;
    const workers = Array.from({ length: HANDLERS }, (_, i) => {
      const workerData = { shared: arena.share(), generation, id: 2 + i, perDevice: PER_DEVICE };
      return new Worker(new URL('../testing/handler.test-worker.ts', import.meta.url), { workerData });
    });
    const ended = workers.map((worker) => once(worker, 'exit'));
    const system = new IopfSystem(arena, { id: 1, spins: 0 });
    system.reader.online();
    const ops = new CountingOps(words, arena.base('test.answers'), PER_DEVICE);
    const path = openFaultPath(generation, system, ops, new WorkSink(system));
    const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
    const domain = allocDomain(system, { handler: HANDLER_NOOP });
    for (let device = 1; device <= DEVICES; device++) {
      path.addDevice(device);
      attachDomain(system, device, 0, domain);
    }

    // Reports without waiting for anybody: what finds the work ring or the slab full is answered Failure, once as well.
    for (let grpid = 0; grpid < PER_DEVICE; grpid++) {
      for (let device = 1; device <= DEVICES; device++) {
        const at = path.prepareFault();
        words[at + FAULT_DEVICE] = device;
        words[at + FAULT_FLAGS] = FAULT_FLAG_LAST_PAGE;
        words[at + FAULT_GRPID] = grpid;
        for (const field of [FAULT_PASID, FAULT_PERM, FAULT_PAGE_LO, FAULT_PAGE_HI, FAULT_TOKEN]) words[at + field] = 0;
        path.reportDeviceFault(at);
      }
      if (grpid % 16 === 15) path.endBatch();
    }
    path.endBatch();

    // The handlers are in the middle of it now.
    system.reader.offline(); // this thread reports no more; its waits below count on the handlers alone
    const driver = {
      blockDevice: async () => {},
      fenceEventQueue: async () => {},
      fenceResponses: async () => {},
      disablePri: async () => {},
    };
    for (let device = 1; device <= DEVICES; device++) {
      const steps = priOffSteps({ system, path, driver, device, pasids: [0], blockedDomain });
      await steps.replaceDomain();
      await steps.fenceEventQueue();
      await steps.respondPending();
      await steps.fenceResponses();
      await steps.disablePri();
    }
    for (const each of [domain, blockedDomain]) {
      const steps = domainSteps({ system, path, domain: each, lightFlush: false, devices: [1, 2] });
      await steps.detachAll();
      await steps.drainPending();
    }
    Atomics.store(words, arena.base('test.stop'), 1);
    await Promise.all(ended);
    path.close();

    const answers = words.subarray(arena.base('test.answers'), arena.base('test.answers') + DEVICES * PER_DEVICE);
    expect(answers.filter((count) => count !== 1).length).toBe(0);
    const books = sumBooks(words, arena.base('iopf.books'), config.threads);
    expect(books.reported).toBe(DEVICES * PER_DEVICE);
    expect(books.answered + books.voided + books.refused).toBe(DEVICES * PER_DEVICE);
    expect(books.success + books.invalid + books.failure).toBe(DEVICES * PER_DEVICE);
    expect(system.requests.live()).toBe(0);
    expect(system.params.live()).toBe(0);
    expect(system.handles.live()).toBe(0);
    for (let each = 0; each <= config.domains; each++) expect(system.pending.read(each)).toBe(0);
  }, 30_000);
});
