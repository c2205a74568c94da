import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { detachDevice, unbindDevice } from '../device/index.ts';
import { FAULT_QUEUE } from '../objects/index.ts';
import { MOCK_DEV_PASID } from '../testing/mock/index.ts';
import { makeRig } from '../testing/rig.test-help.ts';
import { FAULT_QUEUE_ALLOC, IOAS_ALLOC, IOAS_UNMAP, OBJ_FAULT } from '../uapi/index.ts';
import type { MixedTask } from './mixed.test-worker.ts';

const THREADS = 4;
const DEVICES = 3;

interface Report {
  readonly counts: Readonly<Record<string, number>>;
  readonly reported: number;
  readonly answers: readonly number[];
}

test('four threads map, make, attach, replace, destroy, fault, read and answer in one context: each fault is answered once, nothing is left', async () => {
  const rig = makeRig({ frames: 256, window: 256 });
  const { lab, context } = rig;
  const ioases = [1, 2].map(() => rig.call(IOAS_ALLOC).outIoasId);
  const devIds = Array.from({ length: DEVICES }, (_, i) => rig.bind(i + 1, MOCK_DEV_PASID));
  const { outFaultId: faultId, outFaultFd } = rig.call(FAULT_QUEUE_ALLOC);
  const fault = context.objects.get('test', 'fault_id', faultId, OBJ_FAULT);
  const queue = context.words[context.objects.at(fault) + FAULT_QUEUE];
  context.objects.put(fault);
  const [hwpts, cookies] = [6, 12].map((places) => new Int32Array(new SharedArrayBuffer(4 * places)));
  const run = (i: number): Promise<Report> =>
    new Promise((resolve, reject) => {
      const workerData: MixedTask = {
        ...{ shared: lab.shared, id: i + 2, context: context.number, ioases, faultId, queue, devices: DEVICES, devIds },
        ...{ page: rig.memory.mmap(PAGE_BYTES), hwpts, cookies, rounds: 4000 },
      };
      const worker = new Worker(new URL('./mixed.test-worker.ts', import.meta.url), { workerData });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  const reports = await Promise.all(Array.from({ length: THREADS }, (_, i) => run(i)));
  const sum = (name: string): number => reports.reduce((total, { counts }) => total + counts[name], 0);
  for (const name of ['made', 'destroyed', 'attached', 'replaced', 'detached', 'read', 'answered', 'late'])
    expect([name, sum(name) > 20]).toEqual([name, true]);

  for (const id of devIds) {
    for (const pasid of [0, 1]) detachDevice(context, id, pasid); // answers what waits, and what was read
    unbindDevice(context, id);
  }
  const answers = [...reports.flatMap((report) => report.answers), ...lab.answers.map(({ grpid }) => grpid)];
  const reported = reports.reduce((total, report) => total + report.reported, 0);
  expect([answers.length, new Set(answers).size]).toEqual([reported, reported]); // each once
  let left = 0n;
  for (const ioasId of ioases) left += rig.call(IOAS_UNMAP, { ioasId, iova: 0n, length: 2n ** 64n - 1n }).length;
  expect(left).toBe(BigInt(sum('mapped') * PAGE_BYTES));
  lab.caller(1).files.close(outFaultFd);
  lab.machine.close();
  const { system } = lab.machine;
  for (const slab of [system.requests, system.params, system.handles]) expect(slab.live()).toBe(0);
  expect(rig.lab.machine.live().objects).toBe(ioases.length + 1 + sum('made') - sum('destroyed'));
  rig.expectNothingLeft();
}, 30_000);
