import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell } from '@faultline/core/sync';
import { VtdHardware } from '@faultline/hw/vtd';
import { HWPT_ALLOC_NEST_PARENT } from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { initVtdDriver, VTD_UNIT_REGION, vtdDriverRegions } from './index.ts';
import {
  DEVICE,
  DOMAIN,
  openDriver,
  PASID,
  RID,
  SECOND_DOMAIN,
  SHARED,
  type ThreadReport,
  type ThreadTask,
} from './vtd.test-worker.ts';

const ROUNDS = 12;

test('threads map, unmap, attach and detach while a device walks: it reaches nothing that was taken from it', async () => {
  const unit = { requestOrder: 0, invalidationOrder: 0, rids: 16, pasidTables: 16, ports: 1, threads: 3, walkers: 1 };
  const sizes = { domains: 4, threads: 3, devices: 2, tables: 64, attachments: 8, unit };
  const bells = ['irq', 'hardware'];
  const arena = Arena.create(
    planArena([
      ...vtdDriverRegions(sizes),
      ...bells.map((name) => ({ name, words: doorbellWords() })),
      { name: SHARED.region, words: SHARED.words },
    ]),
  );
  const { words } = arena;
  initVtdDriver(arena, sizes);
  for (const bell of bells) initDoorbell(words, arena.base(bell));
  const hardware = new VtdHardware(words, arena.base(VTD_UNIT_REGION), {
    ...{ ports: [], irq: new Doorbell(words, arena.base('irq')), clock: () => 0 },
  });
  const driver = openDriver(arena, 0, () => void hardware.pump(64));
  driver.enable();
  driver.addDevice({ device: DEVICE, rid: RID, pasidsLog2: 10 });
  for (const domain of [DOMAIN, SECOND_DOMAIN]) driver.allocPaging(domain, DEVICE, HWPT_ALLOC_NEST_PARENT, undefined);
  driver.attach(DEVICE, 0, DOMAIN, 0);

  const ram = new SharedArrayBuffer(32 * 4096);
  let running = 0;
  const start = (role: ThreadTask['role'], number: number): Promise<ThreadReport> => {
    const task: ThreadTask = { role, number, arena: arena.share(), ram, rounds: ROUNDS };
    const worker = new Worker(new URL('./vtd.test-worker.ts', import.meta.url), { workerData: task });
    running++;
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', resolve);
      worker.once('exit', () => running--);
    });
  };
  const device = start('device', 0);
  const mappers = [start('mapper', 0), start('mapper', 1)];
  const over = Promise.all(mappers).finally(() => Atomics.store(words, arena.base(SHARED.region) + SHARED.stop, 1));
  while (running > 0) {
    let moved = 0;
    for (let turn = 0; turn < 100; turn++) moved += hardware.pump(64);
    if (moved === 0) Atomics.wait(words, arena.base(SHARED.region) + SHARED.stop + 1, 0, 0.1); // cores are few
    await setImmediate();
  }
  const reports = await over;
  const { reached } = await device;
  expect(reports.map(({ late }) => late)).toEqual([0, 0]);
  expect(reports[0].reached + reports[1].reached).toBe(reached); // whatever reached memory did so before a sync
  expect(reached).toBeGreaterThan(ROUNDS);

  if (driver.attached.domainOf(DEVICE, PASID) !== 0) driver.detach(DEVICE, PASID, SECOND_DOMAIN);
  driver.detach(DEVICE, 0, DOMAIN);
  for (const domain of [DOMAIN, SECOND_DOMAIN]) driver.freeDomain(domain);
  driver.removeDevice(DEVICE);
  driver.domains.settle();
  expect(driver.domains.pool.live()).toBe(0);
  expect(driver.attached.list(() => true)).toEqual([]);
});
