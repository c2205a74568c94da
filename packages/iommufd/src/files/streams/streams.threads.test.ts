import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { expect, test } from 'vitest';
import { openFaultRig } from './streams.test-help.ts';

const READERS = 3;
const FAULTS = 600;

interface Counts {
  readonly seen: readonly number[];
  readonly answers: readonly { readonly grpid: number; readonly code: number }[];
}

test('threads that wait for faults with nothing else to do: each fault goes to one, and a close ends all', async () => {
  const { lab, iommufd, file, trigger, expectNothingLeft } = openFaultRig();
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: READERS }, (_, i) => {
    const workerData = { shared: lab.shared, id: i + 2, fd: iommufd.fd, faultFd: file.fd, answered };
    return new Worker(new URL('./reader.test-worker.ts', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const results = workers.map(async (worker) => (await once(worker, 'message'))[0] as Counts);
  const exits = workers.map((worker) => once(worker, 'exit'));
  for (let i = 0; i < FAULTS; i++) {
    trigger(i, { page: i });
    if (i % 50 === 0) await new Promise((done) => setImmediate(done)); // they fall asleep now and then
  }
  while (Atomics.load(answered, 0) < FAULTS) await new Promise((done) => setImmediate(done));
  file.close();
  const counts = await Promise.all(results);
  await Promise.all(exits);
  const seen = counts.flatMap((each) => each.seen).sort((a, b) => a - b);
  expect(seen).toEqual(Array.from({ length: FAULTS }, (_, i) => i));
  for (const { answers } of counts) for (const { grpid, code } of answers) expect(code).toBe(grpid % 2);
  expect(counts.flatMap(({ answers }) => answers).length).toBe(FAULTS);
  expectNothingLeft();
  expect(lab.answers).toEqual([]);
});

test('a thread that is ended while it waits: what it had read is answered as the device goes, others read on', async () => {
  const { lab, iommufd, file, devId, trigger, answers, expectNothingLeft } = openFaultRig();
  const read = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { shared: lab.shared, id: 2, fd: iommufd.fd, faultFd: file.fd, answered: read, answers: false };
  const worker = new Worker(new URL('./reader.test-worker.ts', import.meta.url), { workerData });
  await once(worker, 'message');
  for (const grpid of [1, 2]) trigger(grpid);
  while (Atomics.load(read, 0) < 2) await new Promise((done) => setImmediate(done));
  await worker.terminate();
  trigger(3);
  const group = file.next();
  expect([group?.fault.grpid, group?.respond()]).toEqual([3, true]);
  iommufd.detach(devId);
  expect(answers().sort()).toEqual([
    [1, RESPONSE_INVALID],
    [2, RESPONSE_INVALID],
    [3, RESPONSE_SUCCESS],
  ]);
  expectNothingLeft();
  expect(lab.machine.system.params.live()).toBe(0);
});
