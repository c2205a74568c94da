import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  allocDomain,
  attachDomain,
  domainSteps,
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  HANDLER_CONSUMER,
  HANDLER_NONE,
  type IopfConfig,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  priOffSteps,
  sumBooks,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { initMpmc, mpmcWords } from '@faultline/core/ring';
import { LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { AnswerCounts } from '../testing/answer-counts.test-help.ts';
import { VARIANTS } from '../testing/one-thread.test-help.ts';
import { DELIVERED, REFUSED, STOP, VOID } from '../testing/reader-counts.test-help.ts';
import {
  autoRespond,
  FaultSink,
  faultQueueWords,
  faultRoutesWords,
  initFaultQueue,
  reportsNothing,
  routeDomain,
} from './index.ts';

const DEVICES = 2;
const PER_DEVICE = 10_000;
const READERS = 2;
const PASSING = 16;
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 20);

describe.each(VARIANTS)(`%s (%s), two reader threads, seed ${SEED}`, (generation, sharing) => {
  test('each group is answered once, taken back or not, and nothing is left', async () => {
    const config: IopfConfig = {
      devices: DEVICES,
      domains: 4,
      threads: 1 + READERS,
      requests: 4096,
      workEntries: 2,
      sharing,
      checked: true,
    };
    const queue = { number: 0, entries: 512, groups: config.requests };
    const arena = Arena.create(
      planArena([
        ...iopfRegions(config),
        { name: 'queue', words: faultQueueWords(queue) },
        { name: 'routes', words: faultRoutesWords(config.domains) },
        { name: 'test.passing', words: mpmcWords(PASSING) },
        { name: 'test.counts', words: LINE },
        { name: 'test.answers', words: DEVICES * PER_DEVICE },
      ]),
    );
    const { words } = arena;
    initIopf(arena, config);
    initFaultQueue(words, arena.base('queue'), queue);
    initMpmc(words, arena.base('test.passing'), PASSING);
    const counts = arena.base('test.counts');
    const workers = Array.from({ length: READERS }, (_, i) => {
      const workerData = { shared: arena.share(), generation, id: 2 + i, perDevice: PER_DEVICE, seed: SEED };
      return new Worker(new URL('../testing/reader.test-worker.ts', import.meta.url), { workerData });
    });
    const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
    const died = Promise.race(workers.map(async (worker) => Promise.reject((await once(worker, 'error'))[0])));
    died.catch(() => {});
    const system = new IopfSystem(arena, { id: 1, spins: 0 });
    const queues = [arena.base('queue')];
    const routes = arena.base('routes');
    const sink = new FaultSink({ system, routes, queues, work: reportsNothing });
    const ops = new AnswerCounts(words, arena.base('test.answers'), PER_DEVICE);
    const path = openFaultPath(generation, system, ops, sink);
    const parts = { system, path, ops };
    system.reader.online();
    const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
    const domain = allocDomain(system, { handler: HANDLER_CONSUMER });
    routeDomain(system, routes, domain, 0);
    for (let device = 1; device <= DEVICES; device++) {
      path.addDevice(device);
      attachDomain(system, device, 0, domain);
    }

    // Without waiting for anybody: what finds the queue full is answered Failure, once as well. The readers start meanwhile.
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
      // Enough of them must get through to the readers for the test to mean something.
      if (grpid % 1000 === 500) {
        const seen = Atomics.load(words, counts + DELIVERED);
        Atomics.wait(words, counts + STOP, 0, seen === 0 ? 50 : 1);
      }
    }
    path.endBatch();

    system.reader.offline(); // this thread reports no more; the readers are in the middle of it
    const driver = {
      blockDevice: async () => {},
      fenceEventQueue: async () => {},
      fenceResponses: async () => {},
      disablePri: async () => {},
    };
    let takenBack = 0;
    const priOff = async (device: number): Promise<void> => {
      const steps = priOffSteps({ system, path, driver, device, pasids: [0], blockedDomain });
      await steps.replaceDomain();
      await steps.fenceEventQueue();
      await steps.respondPending();
      // The others' groups wait for their readers.
      if (device === DEVICES) {
        system.reader.online();
        takenBack += autoRespond(parts, queues[0], { device, domain });
        system.reader.offline();
      }
      await steps.fenceResponses();
      await steps.disablePri();
    };
    for (let device = 1; device <= DEVICES; device++) await Promise.race([priOff(device), died]);
    for (const each of [domain, blockedDomain]) {
      const steps = domainSteps({ system, path, domain: each, lightFlush: false, devices: [1, 2] });
      await Promise.race([steps.detachAll(), died]);
      await Promise.race([steps.drainPending(), died]);
    }
    Atomics.store(words, counts + STOP, 1);
    await Promise.race([ended, died]);
    path.close();

    const answers = words.subarray(arena.base('test.answers'), arena.base('test.answers') + DEVICES * PER_DEVICE);
    expect(answers.filter((count) => count !== 1).length).toBe(0);
    const books = sumBooks(words, arena.base('iopf.books'), config.threads);
    expect(books.reported).toBe(DEVICES * PER_DEVICE);
    expect(books.answered + books.voided + books.refused).toBe(DEVICES * PER_DEVICE);
    expect(words[counts + DELIVERED]).toBeGreaterThan(0);
    expect(words[counts + REFUSED]).toBeGreaterThan(0); // made up, answered by the other reader, or taken back
    expect(words[counts + VOID]).toBeLessThanOrEqual(books.voided);
    expect(takenBack).toBeLessThanOrEqual(queue.entries + config.requests);
    for (const slab of [system.requests, system.params, system.handles]) expect(slab.live()).toBe(0);
    for (let each = 0; each <= config.domains; each++) expect(system.pending.read(each)).toBe(0);
  }, 30_000);
});
