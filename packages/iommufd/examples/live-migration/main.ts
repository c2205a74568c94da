// A machine of one device, migrated while the device writes. Run: node packages/iommufd/examples/live-migration/main.ts --help
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { EVERYTHING, Iommufd } from '@faultline/iommufd';
import { createMockLab, MOCK_APERTURE_START, openMockLab } from '@faultline/iommufd/testing';
import { SingleBar } from 'cli-progress';
import { type DeviceTask, STOP, STOPPED, WRITES } from './device.worker.ts';
import { copyLast, copyWhileRunning, type Migration } from './migration.ts';

const HELP = `Migrates a machine while its device writes to memory.

  --pages N         pages of 4 KiB that the machine has, 64 to 65536 (default 4096)
  --few N           pages that may be left for the time when the device stands (default 64)
  --rounds N        most rounds before that (default 16)
  --link N          MB/s between the hosts, 1 to 100000 (default 100)
  --no-last-round   leave the last round out, and see what is lost
`;

const { values } = parseArgs({
  options: {
    pages: { type: 'string', default: '4096' },
    few: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '16' },
    link: { type: 'string', default: '100' },
    'no-last-round': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else
  process.exitCode = await main({
    pages: number('pages', 64, 65536),
    fewPages: number('few', 0, 65536),
    maxRounds: number('rounds', 1, 1000),
    pageMs: 4096 / (number('link', 1, 100_000) * 1000),
  });

function number(name: 'pages' | 'few' | 'rounds' | 'link', min: number, max: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  process.stderr.write(`--${name}: must be a whole number from ${min} to ${max}, got ${values[name]}\n`);
  process.exit(2);
}

/** @returns the exit code: 1 where the copy differs. */
async function main(options: Pick<Migration, 'pages' | 'fewPages' | 'maxRounds' | 'pageMs'>): Promise<number> {
  const { pages } = options;
  const bytes = pages * 4096;
  // The mock's pages are of 2 KiB, and its table wants to be half empty.
  const slots = 2 ** Math.ceil(Math.log2(pages * 4));
  const shared = createMockLab({ frames: 2 * pages + 64, window: pages + 64, slots });
  const lab = openMockLab(shared);
  lab.driver.addDevice(1, 0);
  const [source, target] = [lab.caller(1), lab.caller(2)];
  const from = source.memory.mmap(bytes);
  const to = target.memory.mmap(bytes);

  const iommufd = Iommufd.open(lab.machine, source);
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, dirtyTracking: true });
  const iova = iommufd.ioasMap({ ioasId, userVa: from, length: BigInt(bytes), iova: MOCK_APERTURE_START });
  iommufd.attach(devId, hwptId);

  const control = new Int32Array(new SharedArrayBuffer(12));
  const task: DeviceTask = { shared, device: 1, iova, pages, control };
  const device = new Worker(new URL('./device.worker.ts', import.meta.url), { workerData: task });
  while (Atomics.load(control, WRITES) === 0) await new Promise((done) => setTimeout(done, 1));

  const page = new Uint8Array(4096);
  const progress = openProgress();
  const migration: Migration = {
    ...options,
    ...{ iommufd, hwptId, iova },
    copyPage(at) {
      source.memory.read(from + BigInt(at * 4096), page);
      target.memory.write(to + BigInt(at * 4096), page);
    },
    stopDevice() {
      Atomics.store(control, STOP, 1);
      Atomics.notify(control, STOP);
      if (Atomics.wait(control, STOPPED, 0, 10_000) === 'timed-out') throw new Error('the device does not stop');
    },
    onProgress: progress.show,
  };
  const rounds = await copyWhileRunning(migration);
  const last = values['no-last-round'] ? { copied: 0, ms: 0 } : await copyLast(migration, rounds.length + 1);
  progress.stop();
  migration.stopDevice();
  await device.terminate();
  iommufd.ioasUnmap({ ioasId, ...EVERYTHING });
  iommufd.close();

  for (const [i, { copied, ms }] of rounds.entries())
    console.log(`round ${i + 1}: ${copied} pages in ${ms.toFixed(1)} ms`);
  console.log(`device stopped: ${last.copied} pages, down for ${last.ms.toFixed(2)} ms`);
  const copied = rounds.reduce((sum, round) => sum + round.copied, last.copied);
  console.log(`${copied} pages copied for ${pages}, ${control[WRITES]} writes of the device meanwhile`);
  const differing = compare();
  console.log(differing === 0 ? 'the copy is the same, byte for byte' : `${differing} pages differ`);
  return differing === 0 ? 0 : 1;

  function compare(): number {
    const other = new Uint8Array(4096);
    let count = 0;
    for (let at = 0; at < bytes; at += 4096) {
      source.memory.read(from + BigInt(at), page);
      target.memory.read(to + BigInt(at), other);
      if (Buffer.compare(page, other) !== 0) count++;
    }
    return count;
  }
}

/** A bar where a person watches. */
function openProgress(): { show: Migration['onProgress']; stop(): void } {
  if (!process.stderr.isTTY) return { show() {}, stop() {} };
  const bar = new SingleBar({
    format: 'round {round} {bar} {value}/{total} pages',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 32,
    hideCursor: true,
    clearOnComplete: true,
  });
  let shown = 0;
  return {
    show(round, copied, toCopy) {
      if (round !== shown) bar.start(toCopy, copied, { round });
      else bar.update(copied, { round });
      shown = round;
    },
    stop: () => bar.stop(),
  };
}
