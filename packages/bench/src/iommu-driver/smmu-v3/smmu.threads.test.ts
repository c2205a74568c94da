import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { Guest, makeSmmuLab, SID, VSID } from './lab.test-help.ts';
import { PAGES, SHARED, type ThreadReport, type ThreadTask } from './smmu.test-worker.ts';

const ROUNDS = 10;
/** What the mappers map, in pages: the guest's stage 1 has it at the same address. */
const FIRST = [128, 160];

test('threads map, unmap and replace while the device writes: it reaches nothing that was taken from it', async () => {
  const smmu = await makeSmmuLab({}, [SHARED]);
  const { iommufd, lab, machinery, events, shared, unit } = smmu;
  const { words } = lab.arena;
  const at = lab.arena.base(SHARED.name);
  const guest = new Guest(smmu);
  const { devId, ioasId, viommuId, parentId } = guest;
  guest.vdevice();
  for (const first of FIRST) for (let page = 0; page < PAGES; page++) guest.map(first + page, first + page);
  const nestedId = guest.nested();
  iommufd.attach(devId, nestedId);

  FIRST.forEach((first, mapper) => {
    words[at + SHARED.page + 2 + mapper] = first; // not mapped yet
  });
  let running = 0;
  const start = (role: ThreadTask['role'], thread: number): Promise<ThreadReport> => {
    const task: ThreadTask = {
      ...{ role, thread, shared, unit, fd: iommufd.fd, vsid: VSID, rounds: ROUNDS },
      ids: { devId, ioasId, viommuId, hwpts: [parentId, nestedId] },
      userVa: lab.processes[0].mmap(PAGES * 4096),
      iova: BigInt(FIRST[thread - 2] ?? 0) << 12n,
    };
    const worker = new Worker(new URL('./smmu.test-worker.ts', import.meta.url), { workerData: task });
    running++;
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', resolve);
      worker.once('exit', () => running--);
    });
  };
  const threads = Promise.all([start('mapper', 2), start('mapper', 3), start('attacher', 4)]);
  const ram = new Int32Array(lab.ram.bytes.buffer);
  const dma = smmu.dma();
  let reached = 0;
  let faulted = 0;
  let waits = false;
  for (let turn = 0; running > 0; turn++) {
    machinery.pump(64);
    events.pump(64);
    if (waits) waits = dma.settle() === undefined;
    else {
      const page = Atomics.load(words, at + SHARED.page + 2 + (turn & 1)) + ((turn >>> 1) % PAGES);
      const output = machinery.translation.translate(SID, -1, page, true);
      if (output >= 0) {
        Atomics.add(ram, output * 1024, 1);
        reached++;
      } else if (turn % 64 === 0) {
        waits = dma.read(page * 4096, 1) === undefined;
        faulted++;
      }
      Atomics.add(words, at + SHARED.accesses, 1);
    }
    if (turn % 256 === 0) await setImmediate();
  }
  const reports = await threads;
  expect(reports.map(({ late }) => late)).toEqual([0, 0, 0]);
  expect(reports[0].reached + reports[1].reached).toBe(reached);
  expect(reached).toBeGreaterThan(ROUNDS);
  expect(faulted).toBeGreaterThan(0);
  iommufd.detach(devId);
  smmu.expectNothingLeft();
}, 20_000);
