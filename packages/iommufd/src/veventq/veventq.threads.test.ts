import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, replaceDevice, unbindDevice } from '../device/index.ts';
import { OBJECT_RUNNING, OBJECT_WAITING, VEVENTQ_BODY } from '../objects/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import { OBJ_VDEVICE, OBJ_VEVENTQ } from '../uapi/index.ts';
import { makeViommuRig, type ViommuRig } from '../viommu/viommu.test-help.ts';
import type { Report, Task } from './veventq.test-task.ts';

const VIRT_ID = 0x99;

function run(rig: ViommuRig, id: number, role: Task['role'], more: Partial<Task> = {}): Promise<Report> {
  const workerData: Task = {
    shared: rig.lab.shared,
    signs: new Int32Array(new SharedArrayBuffer(8)),
    threads: 1,
    role,
    id,
    context: rig.context.number,
    rounds: 0,
    device: 0,
    devId: 0,
    viommuId: 0,
    body: 0,
    virtId: VIRT_ID,
    buffer: 0n,
    ...more,
  };
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./veventq.test-worker.ts', import.meta.url), { workerData });
    worker.on('message', resolve);
    worker.on('error', reject);
  });
}

test.each([
  ['that overflows', 8],
  ['with room for all', 40_000],
])(
  'reporters, readers and a destroyer at a queue %s: no number is missing without a word',
  async (_name, depth) => {
    const rounds = 20_000;
    const threads = 6;
    const rig = makeViommuRig({ events: 45_000 });
    const { lab, context } = rig;
    const signs = new Int32Array(new SharedArrayBuffer(8));
    const second = rig.bind(2);
    const [viommuId, churned] = [rig.allocViommu(), rig.allocViommu()];
    rig.allocVdevice(viommuId, rig.devId, BigInt(VIRT_ID));
    rig.allocVdevice(churned, second, 1n);
    replaceDevice(context, rig.devId, { ptId: rig.allocNested(viommuId) });
    attachDevice(context, second, { ptId: rig.allocNested(churned, second) });
    const { id, fd } = rig.allocQueue(viommuId, depth);
    const object = context.objects.get('test', 'veventq_id', id, OBJ_VEVENTQ);
    const body = context.words[context.objects.at(object) + VEVENTQ_BODY];
    context.objects.put(object);
    const pages = [rig.memory.mmap(2 * PAGE_BYTES), rig.memory.mmap(2 * PAGE_BYTES)];
    for (const page of pages) rig.memory.munmap(page + BigInt(PAGE_BYTES), PAGE_BYTES); // what ends too early ends there

    const reporters = [
      run(rig, 2, 'reporter', { signs, threads, device: 1, rounds }),
      run(rig, 3, 'reporter', { signs, threads, device: 1, rounds }),
      run(rig, 4, 'reporter', { signs, threads, device: 2, rounds }),
    ];
    const others = [
      run(rig, 5, 'reader', { signs, threads, body, buffer: pages[0] }),
      run(rig, 6, 'reader', { signs, threads, body, buffer: pages[1] }),
      run(rig, 7, 'destroyer', { signs, threads, viommuId: churned }),
    ];
    for (const each of others) each.catch(() => {});
    const reported = await Promise.all(reporters);
    Atomics.store(signs, 0, 1);
    const [first, other, { made }] = await Promise.all(others);

    const total = 2 * rounds;
    expect(reported[0].reported + reported[1].reported).toBe(total);
    expect(reported[2].reported + reported[2].unheard).toBe(rounds);
    expect(made).toBeGreaterThan(0);
    const seen = [...first.seen, ...other.seen].sort((a, b) => a - b);
    expect(new Set(seen).size).toBe(seen.length); // each once
    expect(first.failed + other.failed).toBeGreaterThan(0);
    // What is missing is told of: by the number of a later event, or by a lost header's.
    const told = Math.max(seen.at(-1) ?? -1, ...first.lost, ...other.lost);
    expect(told).toBe(total - 1);
    if (depth >= total) expect([seen.length, first.lost.length + other.lost.length]).toEqual([total, 0]);
    else expect(seen.length).toBeGreaterThanOrEqual(depth);

    for (const devId of [rig.devId, second]) {
      detachDevice(context, devId);
      unbindDevice(context, devId);
    }
    lab.caller(1).files.close(fd);
    rig.expectNothingLeft();
  },
  30_000,
);

test('vdevice_tombstone: an unbind waits for a call on the vdevice, and leaves the tombstone', async () => {
  const rig = makeViommuRig();
  const { context, devId } = rig;
  const { objects, words } = context;
  const viommuId = rig.allocViommu();
  const vdeviceId = rig.allocVdevice(viommuId, devId, 7n);
  detachDevice(context, devId);
  const vdevice = objects.get('test', 'id', vdeviceId, OBJ_VDEVICE);
  const at = objects.at(vdevice);
  const unbound = run(rig, 2, 'unbinder', { devId });
  let isOver = false;
  unbound.then(
    () => {
      isOver = true;
    },
    () => {},
  );
  while (Atomics.load(words, at + OBJECT_WAITING) === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  expect(Atomics.load(words, at + OBJECT_RUNNING)).toBe(2);
  objects.put(vdevice);
  await unbound;
  expect(refusalOf(() => rig.destroy(vdeviceId))).toBe('ENOENT id');
  rig.destroy(viommuId);
  rig.expectNothingLeft();
});
