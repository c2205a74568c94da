// A reader with nothing else to do: it must stay alive while it waits, and end when the file is closed.
import { parentPort, workerData } from 'node:worker_threads';
import { Iommufd } from '../../iommufd.ts';
import { openMockLab, type SharedLab } from '../../testing/index.ts';

const { shared, id, fd, faultFd, answered, answers } = workerData as {
  readonly shared: SharedLab;
  readonly id: number;
  readonly fd: number;
  readonly faultFd: number;
  readonly answered: Int32Array<SharedArrayBuffer>;
  /** false: it keeps what it reads, and says so as it waits for more. Default true. */
  readonly answers?: boolean;
};
const lab = openMockLab(shared, { id, spins: 0 });
const iommufd = new Iommufd(lab.machine, lab.caller(1), fd);
const file = iommufd.openFaultFile(faultFd);
parentPort?.postMessage('ready');
const seen: number[] = [];
for await (const group of file) {
  seen.push(group.fault.page);
  if (answers === false) {
    setImmediate(() => Atomics.add(answered, 0, 1)); // once it waits for the next one
    continue;
  }
  group.respond(group.fault.page % 2);
  Atomics.add(answered, 0, 1);
}
parentPort?.postMessage({ seen, answers: lab.answers });
