import { setImmediate as immediate } from 'node:timers/promises';
import {
  allocDomain,
  attachDomain,
  domainSteps,
  HANDLER_NONE,
  HANDLER_NOOP,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  priOffSteps,
  sumBooks,
  WorkSink,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { AtsCapability } from '../pcie/ats-capability.ts';
import { readEndpointStats } from '../pcie/endpoint-stats.ts';
import { functionWords, initFunction, PRI_STATUS_STOPPED } from '../pcie/function.layout.ts';
import { PriCapability } from '../pcie/pri-capability.ts';
import { bellRegions, initBells, initPorts, portRegions } from '../testing/arena-parts.ts';
import { startWorker } from '../testing/start-worker.ts';
import type { Outcome, Task } from './amd.test-worker.ts';
import { AmdDriver, AmdEventPump, AmdOps, amdAnnounceBase, amdWords, initAmd, readAmdStats } from './index.ts';

const DEADLINE_MS = 20_000;
const PASID = 1;
const DEVICES = 2;
const HANDLERS = 2;
const PER_ROUND = 300;
const ROUNDS = 40;
const CREDITS = 400;
const deviceId = (place: number): number => 0x20 + place;

const start = (task: Task): Promise<Outcome> => startWorker(new URL('./amd.test-worker.ts', import.meta.url), task);

describe('endpoints, hardware, interrupt and handler threads', () => {
  test('each group is answered once, through overflows and PRI-off under load, and nothing is left', async () => {
    const iopf = {
      devices: DEVICES,
      domains: 4,
      threads: 1 + HANDLERS,
      requests: 2048,
      workEntries: 512,
      sharing: 'split' as const,
      checked: true,
    };
    const amd = { pprEntries: 256, eventEntries: 256, commandEntries: 256, devices: 64, ports: DEVICES, gcr3Tables: 2 };
    const places = [0, 1];
    const bells = ['irq', 'hardware', 'wake0', 'wake1'];
    const arena = Arena.create(
      planArena([
        ...iopfRegions(iopf),
        { name: 'amd', words: amdWords(amd) },
        { name: 'stop', words: LINE },
        { name: 'progress', words: LINE },
        ...bellRegions(bells),
        ...portRegions(DEVICES, CREDITS),
        ...places.map((i) => ({ name: `function${i}`, words: functionWords() })),
        ...places.map((i) => ({ name: `stats${i}`, words: LINE })),
      ]),
    );
    const { words } = arena;
    const base = arena.base('amd');
    const bell = (name: string): Doorbell => new Doorbell(words, arena.base(name));
    initIopf(arena, iopf);
    initAmd(words, base, amd);
    initBells(arena, bells);
    for (const i of places) initFunction(words, arena.base(`function${i}`), { capacity: CREDITS });
    initPorts(arena, amdAnnounceBase(words, base), places.map(deviceId), CREDITS, (place) => `wake${place}`);
    const common = {
      ...{ shared: arena.share(), devices: DEVICES, rounds: ROUNDS, perRound: PER_ROUND, deadlineMs: DEADLINE_MS },
    };
    const ended = [
      start({ ...common, role: 'hardware', number: 0 }),
      ...Array.from({ length: HANDLERS }, (_, i) => start({ ...common, role: 'handler', number: 2 + i })),
    ];

    // This thread is the interrupt's: it pumps, and controls between two batches.
    const self = { id: 1, spins: 0 };
    const system = new IopfSystem(arena, self);
    system.reader.online();
    const ops = new AmdOps(words, base, { self, hardwareDoorbell: bell('hardware') });
    const driver = new AmdDriver(words, base, { ops, hardwareDoorbell: bell('hardware') });
    const path = openFaultPath('lockless', system, ops, new WorkSink(system));
    const pump = new AmdEventPump(words, base, {
      reporter: path,
      ops,
      clock: () => (performance.now() * 10_000) | 0,
      onLost: () => {
        for (const i of places) path.discardPartial(1 + i);
      },
    });
    let pumping = true;
    const pumped = (async () => {
      const irq = bell('irq');
      for (const end = performance.now() + DEADLINE_MS; pumping && performance.now() < end; await immediate()) {
        const taken = pump.pump(64);
        system.reader.quiescent();
        if (taken !== 0) continue;
        const seen = irq.prepare();
        system.reader.offline(); // whoever waits for a grace period must not wait for an interrupt
        if (!pump.needsWork() && pumping) await irq.sleepAsync(seen, DEADLINE_MS);
        system.reader.online();
        irq.awake();
      }
    })();
    const domain = allocDomain(system, { handler: HANDLER_NOOP });
    const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
    await driver.enable();
    const functions = places.map((i) => new PriCapability(words, arena.base(`function${i}`), [bell(`wake${i}`)]));
    for (const i of places) {
      const ats = new AtsCapability(words, arena.base(`function${i}`));
      path.addDevice(1 + i);
      attachDomain(system, 1 + i, PASID, domain);
      driver.bindDevice(deviceId(i), 1 + i, { pri: functions[i], ats });
      await driver.attach(deviceId(i), { kind: 'identity', domain: 1 + i });
      await driver.attachPasid(deviceId(i), PASID, 0x1000);
      await driver.enablePri(deviceId(i), CREDITS);
      ended.push(start({ ...common, role: 'device', number: i }));
    }
    const progress = (place: number): number => Atomics.load(words, arena.base('progress') + place);
    const reach = async (place: number, round: number): Promise<void> => {
      for (const end = performance.now() + DEADLINE_MS; progress(place) < round; await immediate())
        if (performance.now() > end) throw new Error(`device ${place} got no further than round ${progress(place)}`);
    };
    const off = async (place: number): Promise<void> => {
      const steps = priOffSteps({
        system,
        path,
        device: 1 + place,
        pasids: [PASID],
        blockedDomain,
        driver: {
          blockDevice: async () => driver.blockDevice(deviceId(place)),
          fenceEventQueue: async () => driver.fenceEventQueue([deviceId(place)]),
          fenceResponses: async () => {
            ops.flushResponses();
            await driver.fenceResponses();
          },
          disablePri: async () => driver.disablePri(deviceId(place)),
        },
      });
      await steps.replaceDomain();
      await steps.fenceEventQueue();
      await steps.respondPending();
      await steps.fenceResponses();
      await steps.disablePri();
    };
    await reach(0, ROUNDS / 4);
    await off(0); // in the middle of it
    await reach(1, ROUNDS);
    await off(1);
    for (const each of [domain, blockedDomain]) {
      const steps = domainSteps({ system, path, domain: each, lightFlush: false, devices: [1, 2] });
      await steps.detachAll();
      await steps.drainPending();
    }
    await reach(0, ROUNDS);
    Atomics.store(words, arena.base('stop'), 1);
    for (const name of bells) bell(name).ring();
    const outcomes = await Promise.all(ended);
    pumping = false;
    bell('irq').ring();
    await pumped;
    path.close();

    const of = (role: string, number: number): Outcome | undefined =>
      outcomes.find((outcome) => outcome.role === role && outcome.number === number);
    expect(of('device', 1)).toMatchObject({ retried: ROUNDS * PER_ROUND, aborted: 0 });
    expect(of('device', 0)?.retried).toBeGreaterThanOrEqual((ROUNDS / 4) * PER_ROUND);
    for (const i of places) expect(functions[i].status() & PRI_STATUS_STOPPED).toBe(PRI_STATUS_STOPPED);
    const stats = readAmdStats(words, base);
    const counts = pump.counts();
    const sent = places.map((i) => readEndpointStats(words, arena.base(`stats${i}`)));
    const books = sumBooks(words, arena.base('iopf.books'), iopf.threads);
    expect(stats.requests).toBe(
      stats.logged + stats.autoAnswered + stats.discarded + stats.rejected + stats.stopMarkers,
    );
    expect(stats).toMatchObject({ strays: 0, undelivered: 0, commandErrors: 0, iotlbTimeouts: 0 });
    expect(stats.logged).toBe(counts.reported + counts.refused);
    expect([stats.pprOverflows > 0, stats.pprOverflows]).toEqual([true, counts.pprOverflows]);
    expect(stats.responses).toBe(books.answered + books.voided + books.refused);
    for (const { succeeded, invalid, groups, unexpected, failures } of sent) {
      expect([succeeded + invalid, unexpected, failures]).toEqual([groups, 0, 0]);
    }
    expect([system.requests.live(), system.params.live(), system.handles.live()]).toEqual([0, 0, 0]);
  }, 60_000);
});
