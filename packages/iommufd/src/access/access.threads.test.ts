import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { makeRig } from '../testing/rig.test-help.ts';
import { ACCESS_KIND_TEST } from '../testing/test-commands/index.ts';
import { IOAS_ALLOC, IOAS_MAP, IOAS_MAP_FIXED_IOVA, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '../uapi/index.ts';
import type { AccessRace } from './access-race.test-help.ts';
import { attachAccess, createAccess, destroyAccess } from './index.ts';

const FIXED = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE | IOAS_MAP_FIXED_IOVA;

test('an access that pins, moves and is told to let go at once: nothing stays pinned, nothing is let go of twice', async () => {
  const rig = makeRig();
  const { context, lab } = rig;
  const ioas = [rig.call(IOAS_ALLOC).outIoasId, rig.call(IOAS_ALLOC).outIoasId] as const;
  const userVa = rig.memory.mmap(4 * PAGE_BYTES);
  for (const ioasId of ioas)
    rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: BigInt(4 * PAGE_BYTES), iova: BigInt(PAGE_BYTES) });
  const access = createAccess(context, 'test', { kind: ACCESS_KIND_TEST, pins: true });
  attachAccess(context, 'test', access, ioas[0]);
  const signals = new Int32Array(new SharedArrayBuffer(4));
  const run = (role: AccessRace['role'], i: number): Promise<Record<string, number>> =>
    new Promise((resolve, reject) => {
      const race: AccessRace = {
        shared: lab.shared,
        context: context.number,
        access,
        ioas,
        userVa,
        id: i + 2,
        role,
        rounds: 400,
        signals,
      };
      const worker = new Worker(new URL('./access.test-worker.ts', import.meta.url), { workerData: race });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  const [mapped, pinned, moved] = await Promise.all((['map', 'pin', 'move'] as const).map(run));
  for (const counts of [mapped, moved]) expect(Object.keys(counts)).toEqual(['done']); // accesses let go in time, always
  // Not mapped, about to go, or let go of by another thread: nothing else keeps a pin from being made or ended.
  expect(['ENOENT', 'EINVAL', 'done']).toEqual(expect.arrayContaining(Object.keys(pinned)));
  expect(lab.ram.pinned()).toBe(0);
  destroyAccess(context, access);
  context.put();
  rig.expectNothingLeft();
});
