// The device: it writes to its machine's memory until it is stopped, most of the time to the same few pages.
import { workerData } from 'node:worker_threads';
import { MockDma, openMockLab, type SharedLab } from '@faultline/iommufd/testing';

export interface DeviceTask {
  readonly shared: SharedLab;
  readonly device: number;
  readonly iova: bigint;
  /** Of 4 KiB. */
  readonly pages: number;
  readonly control: Int32Array<SharedArrayBuffer>;
}

/** Words of the control block: 1 asks the device to stop; 1 once it has; writes so far. */
export const STOP = 0;
export const STOPPED = 1;
export const WRITES = 2;

const BURST = 128;
const PAUSE_MS = 1;
/** Writes in sixteen that go to one page in 64. */
const HOT = 15;

function run({ shared, device, iova, pages, control }: DeviceTask): void {
  const lab = openMockLab(shared, { id: 2, spins: 0 });
  const dma = new MockDma(lab, device);
  const words = new Uint32Array(16);
  const bytes = new Uint8Array(words.buffer);
  const below = (limit: number): number => Math.floor(Math.random() * limit);
  for (let stop = 0; stop === 0; ) {
    stop = Atomics.load(control, STOP); // what was begun by then is finished: one more burst
    for (let i = 0; i < BURST; i++) {
      const page = below(below(16) < HOT ? Math.ceil(pages / 64) : pages);
      words.fill(Atomics.add(control, WRITES, 1));
      const at = iova + BigInt(page * 4096 + below(4096 - bytes.length));
      if (!dma.write(at, bytes)) throw new Error(`the device's write to 0x${at.toString(16)} faulted`);
    }
    Atomics.wait(control, STOP, 0, PAUSE_MS);
  }
  Atomics.store(control, STOPPED, 1);
  Atomics.notify(control, STOPPED);
}

if (workerData !== null) run(workerData as DeviceTask);
