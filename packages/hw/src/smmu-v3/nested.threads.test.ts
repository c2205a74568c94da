import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, LINE } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import { initPriPort, priPortWords } from '../pcie/index.ts';
import { startWorker } from '../testing/start-worker.ts';
import {
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_SMMUEN,
  initSmmu,
  initStallPort,
  smmuAnnounceBase,
  smmuPriAnnounceBase,
  smmuWords,
  stallPortWords,
} from './index.ts';
import { SMMU_CR0 } from './layout.ts';
import { type NestedOutcome, type NestedTask, SID, STOP, vmidOf } from './nested-threads.test-help.ts';
import {
  allocNested,
  allocVsmmu,
  destroyVsmmu,
  freeNested,
  initVirtual,
  VCMDQ_EN,
  Vcmdqs,
  VirtualArea,
  virtualWords,
} from './virtual/index.ts';
import { VCMDQ_CONFIG } from './virtual/layout.ts';

const ROUNDS = 150;
const DEADLINE_MS = 25_000;
const SMMU = {
  eventQueueEntries: 8,
  commandQueueEntries: 16,
  commandQueues: 3, // of the interrupt thread, who attaches, and the guests' owner
  stallMax: 4,
  streams: 2,
  ports: 1,
  priQueueEntries: 8,
  priPorts: 1,
  contextLog2: 1,
};
const BELLS = ['irq', 'hardware', 'wake'];

const start = (task: NestedTask): Promise<NestedOutcome> =>
  startWorker(new URL('./nested.test-worker.ts', import.meta.url), task);

/** Two guests, each with a nested domain of its own number, a command queue of its own, and no vdevice yet. */
function lay(): { arena: Arena; area: VirtualArea } {
  const config = (groupAt: number) => ({
    masters: [0, 1].map((streamId) => ({ streamId, groupMutex: groupAt + streamId * LINE })),
    ...{ domains: 2, vsmmus: 2, idBlocks: 3, queues: 1, sidPairs: 2 },
  });
  const arena = Arena.create(
    planArena([
      { name: 'smmu', words: smmuWords(SMMU) },
      { name: 'virtual', words: virtualWords(config(LINE)) },
      ...['groups', 'control', 'scratch', 'queues', 'context'].map((name) => ({ name, words: 4 * LINE })),
      ...BELLS.map((name) => ({ name, words: doorbellWords() })),
      { name: 'port', words: stallPortWords(4) },
      { name: 'function', words: priPortWords(8) },
    ]),
  );
  const { words } = arena;
  const base = arena.base('smmu');
  initSmmu(words, base, SMMU);
  initVirtual(words, arena.base('virtual'), config(arena.base('groups')));
  for (const name of BELLS) initDoorbell(words, arena.base(name));
  const wiring = { port: 0, wakeAt: arena.base('wake'), doorbellBase: arena.base('hardware') };
  const announceBase = smmuAnnounceBase(words, base);
  initStallPort(words, arena.base('port'), { ...wiring, announceBase, capacity: 4, streamId: SID, substreamId: -1 });
  const priAnnounce = smmuPriAnnounceBase(words, base);
  initPriPort(words, arena.base('function'), { ...wiring, announceBase: priAnnounce, rid: SID, credits: 8 });
  const area = new VirtualArea(words, arena.base('virtual'));
  const queues = new Vcmdqs(area, { id: 9, spins: 0 }, { maxLog2: 8, hardwareDoorbell: { ring: () => {} } });
  const context = arena.base('context');
  for (const vsmmu of [1, 2]) {
    expect(allocVsmmu(area, vmidOf(vsmmu))).toBe(vsmmu);
    // V, stage 1. Guest 1 has one descriptor, which is not valid; guest 2 has two, and lets nothing without a substream through.
    words.set([1 | (5 << 1) | (context << 2), vsmmu === 1 ? 0 : 1 << 27, 0, 0], arena.base('scratch'));
    expect(allocNested(area, vsmmu, 0, arena.base('scratch'))).toBe(vsmmu);
    expect(queues.map(vsmmu, 0, arena.base('queues') * 4 + (vsmmu - 1) * 64, 64)).toBe(0);
    Atomics.store(words, area.queueAt('lay', vsmmu, 0) + VCMDQ_CONFIG, VCMDQ_EN);
  }
  Atomics.store(words, base + SMMU_CR0, CR0_SMMUEN | CR0_EVTQEN | CR0_CMDQEN);
  return { arena, area };
}

test('a device goes from guest to guest while it faults and guests invalidate', { timeout: 60_000 }, async () => {
  const { arena, area } = lay();
  const task = { shared: arena.share(), rounds: ROUNDS, deadlineMs: DEADLINE_MS };
  const stop = async (who: keyof typeof STOP, whom: readonly Promise<NestedOutcome>[]): Promise<NestedOutcome[]> => {
    Atomics.store(arena.words, arena.base('control') + STOP[who], 1);
    for (const name of BELLS) new Doorbell(arena.words, arena.base(name)).ring();
    return Promise.all(whom);
  };
  const [hardware, interrupt, device, guest, attach] = (
    ['hardware', 'interrupt', 'device', 'guest', 'attach'] as const
  ).map((role, i) => start({ ...task, role, id: i + 1 }));
  const done = [await attach, ...(await stop('work', [guest]))];
  done.push(...(await stop('hardware', [hardware])), ...(await stop('interrupt', [device, interrupt])));
  expect(done.flatMap(({ wrong }) => wrong.slice(0, 5))).toEqual([]);
  const of = Object.fromEntries(done.map(({ role, counts }) => [role, counts]));
  expect(of.attach).toEqual({ attached: ROUNDS, refused: ROUNDS, settled: 1 });
  // Every access ended, with a record, a record that was dropped and is counted, or, of a stream that nobody has, in silence.
  expect(of.hardware).toMatchObject({ terminated: of.device.posted, stalls: 0 });
  expect(of.hardware.events + of.hardware.dropped).toBeLessThanOrEqual(of.device.posted);
  // Every record went to a guest or to the host.
  expect(of.interrupt.forwarded + of.interrupt.events).toBe(of.hardware.events);
  expect(of.interrupt.told1 + of.interrupt.told2).toBe(of.interrupt.forwarded);
  expect(of.interrupt.forwarded).toBeGreaterThanOrEqual(ROUNDS);
  expect(of.interrupt).toMatchObject({ unknownEvent: 0, unknownStream: 0, illegalStall: 0, inconsistent: 0 });
  // Every invalidation that was not refused reached the function, and nothing else did.
  expect(of.device.invalidated).toBe(of.guest.software + of.guest.virtual);
  expect(of.hardware).toMatchObject({ atcInvalidations: of.device.invalidated, atcTimeouts: 0 });
  expect(of.hardware.commandErrors).toBe(of.guest.virtualRefused);
  for (const count of ['software', 'softwareRefused', 'virtual']) expect(of.guest[count]).toBeGreaterThan(0);
  for (const n of [1, 2]) expect(freeNested(area, n)).toBe(0); // no reference is left
  const owner = new Vcmdqs(
    area,
    { id: 9, spins: 0 },
    { maxLog2: 8, hardwareDoorbell: { ring: () => {} }, timeoutMs: 1 },
  );
  expect([1, 2].map((n) => owner.unmap(n, 0))).toEqual([-110, -110]); // the hardware is gone, and cannot let them go
  expect(destroyVsmmu(area, 1)).toBe(-16);
});
