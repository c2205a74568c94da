import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { unbindDevice } from '../device/index.ts';
import { makeRig } from '../testing/rig.test-help.ts';
import { IOAS_ALLOC, OBJ_IOAS } from '../uapi/index.ts';
import { Ioas } from './index.ts';
import type { IoasTask } from './ioas.test-worker.ts';

const THREADS = 3;
const SLOTS = 24;

interface Counts {
  readonly mapped: number;
  readonly unmapped: number;
  readonly pinned: number;
  readonly attached: number;
  readonly swept: number;
  readonly refused: number;
}

test('threads map, unmap, copy, pin, attach and sweep in one context: what is left is what was mapped and not unmapped', async () => {
  const rig = makeRig({ frames: 256, window: 256 });
  const { lab, context } = rig;
  const memory = rig.memory.mmap(8 * PAGE_BYTES);
  const bitmap = rig.memory.mmap(PAGE_BYTES);
  const ioases = [1, 2].map(() => rig.call(IOAS_ALLOC).outIoasId);
  const devices = Array.from({ length: THREADS }, (_, i) => rig.bind(i + 1));
  const run = (devId: number, i: number): Promise<Counts> =>
    new Promise((resolve, reject) => {
      const shared = lab.shared;
      const task = {
        shared,
        id: i + 2,
        context: context.number,
        ioases,
        devId,
        memory,
        bitmap,
        slots: SLOTS,
        rounds: 4000,
      };
      const worker = new Worker(new URL('./ioas.test-worker.ts', import.meta.url), {
        workerData: task satisfies IoasTask,
      });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  const counts = await Promise.all(devices.map(run));
  const sum = (field: keyof Counts): number => counts.reduce((total, count) => total + count[field], 0);
  for (const field of ['mapped', 'unmapped', 'pinned', 'attached', 'swept'] as const)
    expect([field, sum(field) > 100]).toEqual([field, true]);
  let left = 0;
  for (const id of ioases) {
    const object = context.objects.get('test', 'id', id, OBJ_IOAS);
    left += new Ioas(context, object).areas.size;
    context.objects.put(object);
  }
  expect(left).toBe(sum('mapped') - sum('unmapped'));
  expect(lab.ram.pinned()).toBe(0); // every device is detached
  expect(lab.driver.pages.used()).toBe(0);
  for (const id of devices) unbindDevice(context, id);
  rig.expectNothingLeft();
});
