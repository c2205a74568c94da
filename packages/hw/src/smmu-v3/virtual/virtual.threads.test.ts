import { rwlockReaders, rwlockWriter } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import { startWorker } from '../../testing/start-worker.ts';
import { MASTER_LOCK } from './layout.ts';
import { freeNested } from './nested-domain.ts';
import { type Outcome, type Part, STOP, VirtualRig } from './virtual.test-help.ts';
import { destroyVsmmu } from './vsmmu.ts';

const ROUNDS = 300;

const start = (task: Part): Promise<Outcome> => startWorker(new URL('./virtual.test-worker.ts', import.meta.url), task);

test('attaching, moving the vdevice, interrupts and guest commands, all at once', { timeout: 60_000 }, async () => {
  const rig = new VirtualRig({ queues: 1, sidPairs: 2 });
  const { words, base, spareAt } = rig;
  for (const vmid of [11, 12]) expect(rig.nested(rig.vsmmu(vmid))).toBe(vmid - 10);
  const roles = ['vdevices', 'interrupt', 'guest'] as const;
  const others = roles.map((role, i) => start({ role, id: i + 2, words, base, spareAt, rounds: 0 }));
  const attach = await start({ role: 'attach', id: 1, words, base, spareAt, rounds: ROUNDS });
  Atomics.store(words, spareAt + STOP, 1);
  const [vdevices, interrupt, guest] = await Promise.all(others);
  expect([attach, vdevices, interrupt, guest].flatMap(({ wrong }) => wrong.slice(0, 5))).toEqual([]);
  expect(attach.done).toBe(ROUNDS);
  expect(interrupt.done).toBeGreaterThanOrEqual(ROUNDS); // at least one for each attachment
  expect(vdevices.done).toBeGreaterThan(0);
  expect(guest.done).toBeGreaterThan(0);
  const lock = rig.area.masterAt('test', 0) + MASTER_LOCK;
  expect([rwlockWriter(words, lock), rwlockReaders(words, lock)]).toEqual([0, 0]);
  for (const n of [1, 2]) expect([freeNested(rig.area, n), destroyVsmmu(rig.area, n)]).toEqual([0, 0]); // no reference is left
});
