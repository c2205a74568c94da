import { setImmediate as immediate } from 'node:timers/promises';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, LINE, mutexOwner } from '@faultline/core/sync';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AtsCapability } from '../pcie/ats-capability.ts';
import { readEndpointStats } from '../pcie/endpoint-stats.ts';
import { functionWords, initFunction } from '../pcie/function.layout.ts';
import { PriCapability } from '../pcie/pri-capability.ts';
import { initPriPort, priPortWords } from '../pcie/pri-port.layout.ts';
import { NO_RECORD, PriRequester, priPortDropped } from '../pcie/pri-port.ts';
import { startWorker } from '../testing/start-worker.ts';
import {
  AmdDriver,
  AmdEventPump,
  AmdOps,
  amdAnnounceBase,
  amdWords,
  INV_TIMEOUT_10MS,
  initAmd,
  readAmdStats,
} from './index.ts';
import { AMD_CMD_HEAD, AMD_CMD_LOCK, AMD_CMD_TAIL } from './layout.ts';
import type { Outcome, Task } from './recovery.test-worker.ts';

const DEADLINE_MS = 20_000;
const DEVICE_ID = 0x20;
const CREDITS = 512;
const ISSUERS = 3;

const config = { pprEntries: 256, eventEntries: 256, commandEntries: 256, devices: 64, ports: 1, gcr3Tables: 1 };
const bells = ['irq', 'hardware', 'wake'];
let arena: Arena;
let pump: AmdEventPump;
let driver: AmdDriver;
let hardware: Promise<Outcome>;

const bell = (name: string): Doorbell => new Doorbell(arena.words, arena.base(name));
const stats = (): ReturnType<typeof readAmdStats> => readAmdStats(arena.words, arena.base('amd'));

function start(task: Pick<Task, 'role' | 'number' | 'rounds' | 'perRound'>): Promise<Outcome> {
  const workerData: Task = { ...task, shared: arena.share(), deadlineMs: DEADLINE_MS };
  return startWorker(new URL('./recovery.test-worker.ts', import.meta.url), workerData);
}

/** Pumps until `promise` has its outcome, and the logs are drained. This thread is the interrupt's. */
async function pumpUntil<T>(promise: Promise<T>, turn: () => void = () => {}): Promise<T> {
  let open = true;
  const end = (): void => {
    open = false;
  };
  promise.then(end, end);
  for (const last = performance.now() + DEADLINE_MS; open || pump.needsWork(); await immediate()) {
    pump.pump(64);
    turn();
    if (performance.now() > last) throw new Error('the logs are never drained');
  }
  return promise;
}

beforeEach(async () => {
  arena = Arena.create(
    planArena([
      { name: 'amd', words: amdWords(config) },
      ...['stop', 'stats'].map((name) => ({ name, words: LINE })),
      ...bells.map((name) => ({ name, words: doorbellWords() })),
      { name: 'function', words: functionWords() },
      { name: 'port', words: priPortWords(CREDITS) },
    ]),
  );
  const { words } = arena;
  const base = arena.base('amd');
  initAmd(words, base, config);
  for (const name of bells) initDoorbell(words, arena.base(name));
  initFunction(words, arena.base('function'), { capacity: CREDITS });
  initPriPort(words, arena.base('port'), {
    ...{ port: 0, rid: DEVICE_ID, credits: CREDITS, wakeAt: arena.base('wake') },
    ...{ announceBase: amdAnnounceBase(words, base), doorbellBase: arena.base('hardware') },
  });
  const hardwareDoorbell = bell('hardware');
  const ops = new AmdOps(words, base, { self: { id: 1, spins: 0 }, hardwareDoorbell });
  const reporter = { prepareFault: () => 0, reportDeviceFault: () => 0, endBatch: () => {} };
  pump = new AmdEventPump(words, base, { reporter, ops, clock: () => (performance.now() * 10_000) | 0 });
  driver = new AmdDriver(words, base, { ops, hardwareDoorbell });
  hardware = start({ role: 'hardware', number: 0, rounds: 0, perRound: 0 });
  await driver.enable();
});

afterEach(async () => {
  Atomics.store(arena.words, arena.base('stop'), 1);
  for (const name of bells) bell(name).ring();
  await hardware;
});

test('bad commands of several threads: each is told of and overwritten once, and every wait is done', async () => {
  const { words } = arena;
  const requester = new PriRequester(words, arena.base('port'));
  const answers = [0, 0, 0, 0, 0];
  const rounds = 48;
  const perRound = 5;
  const issuers = Array.from({ length: ISSUERS }, (_, i) => start({ role: 'issuer', number: 2 + i, rounds, perRound }));
  const drain = (): void => {
    for (let at = requester.peek(); at !== NO_RECORD; at = requester.peek()) {
      answers[words[at]]++;
      requester.next();
    }
    requester.release();
  };
  const outcomes = await pumpUntil(Promise.all(issuers), drain);
  drain();
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const bad = (ISSUERS * rounds) / 8;
  expect(outcomes.map((outcome) => outcome.rounds)).toEqual([rounds, rounds, rounds]);
  expect([sum((o) => o.bad), sum((o) => o.recovered)]).toEqual([bad, bad]);
  const { commandErrors, responses, waits, commands, events, eventsLost, undelivered } = stats();
  expect({ commandErrors, events, eventsLost, undelivered }).toEqual({
    ...{ commandErrors: bad, events: bad, eventsLost: 0, undelivered: 0 },
  });
  expect(pump.counts().events).toBe(bad);
  expect([responses, priPortDropped(words, arena.base('port'))]).toEqual([ISSUERS * rounds * perRound, 0]);
  expect(answers).toEqual([0, 0, ...Array(ISSUERS).fill(rounds * perRound)]);
  expect(waits).toBe(ISSUERS * rounds + bad); // an overwritten command is a wait that nobody waits for
  expect(commands).toBe(responses + waits);
  const base = arena.base('amd');
  expect(mutexOwner(words, base + AMD_CMD_LOCK)).toBe(0);
  expect(Atomics.load(words, base + AMD_CMD_HEAD)).toBe(Atomics.load(words, base + AMD_CMD_TAIL));
}, 60_000);

test('requests that are all refused overflow the event log: it is restarted, and each group has its answer', async () => {
  const { words } = arena;
  driver.bindDevice(DEVICE_ID, 1, { maxPasids: 16 });
  await driver.attach(DEVICE_ID, { kind: 'identity', domain: 1 });
  new AtsCapability(words, arena.base('function')).enable(12);
  const pri = new PriCapability(words, arena.base('function'), [bell('wake')]);
  pri.enable(CREDITS); // the device may send; its table entry does not let it
  const [rounds, perRound] = [20, 400];
  const device = start({ role: 'refused', number: 0, rounds, perRound });
  for (const last = performance.now() + DEADLINE_MS; stats().eventsLost < 1000; await immediate())
    if (performance.now() > last) throw new Error('the event log never overflows'); // a pump that is late
  const outcome = await pumpUntil(device);
  expect([outcome.rounds, outcome.aborted]).toEqual([rounds, rounds * perRound]);
  const { requests, rejected, events, eventsLost, responses, logged } = stats();
  expect({ requests, rejected, responses, logged }).toEqual({
    ...{ requests: rounds * perRound, rejected: rounds * perRound, responses: 0, logged: 0 },
  });
  expect(events + eventsLost).toBe(rounds * perRound);
  expect(eventsLost).toBeGreaterThanOrEqual(1000);
  expect(pump.counts().events).toBe(events);
  expect(pump.counts().eventOverflows).toBeGreaterThanOrEqual(1);
  const sent = readEndpointStats(words, arena.base('stats'));
  expect([sent.invalid, sent.unexpected, sent.failures]).toEqual([sent.groups, 0, 0]);
  expect(pri.isStopped()).toBe(true);
}, 60_000);

test('a device that completes no invalidation: who waits makes the hardware look at its clock, and all goes on', async () => {
  await driver.disable();
  await driver.enable({ invTimeout: INV_TIMEOUT_10MS });
  const ats = new AtsCapability(arena.words, arena.base('function'));
  driver.bindDevice(DEVICE_ID, 1, { maxPasids: 16, ats });
  await driver.attach(DEVICE_ID, { kind: 'identity', domain: 1 });
  for (let i = 1; i <= 3; i++) {
    await pumpUntil(driver.fenceEventQueue([DEVICE_ID])); // nobody plays the device
    expect([stats().iotlbSent, stats().iotlbTimeouts, pump.counts().events]).toEqual([i, i, i]);
  }
  await pumpUntil(driver.unbindDevice(DEVICE_ID));
  expect([stats().iotlbTimeouts, stats().commandErrors, ats.isEnabled()]).toEqual([4, 0, false]);
}, 60_000);
