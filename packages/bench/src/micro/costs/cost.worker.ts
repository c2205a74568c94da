// One subject on a thread of its own, which no other has taught its types; built as one file, as the fault path runs everywhere.
import { parentPort, workerData } from 'node:worker_threads';
import { findSubject } from './index.ts';
import { type CostOptions, measureSubject } from './measure.ts';

export interface CostTask {
  readonly subject: string;
  readonly options: CostOptions;
}

const { subject, options } = workerData as CostTask;
const found = findSubject(subject);
if (found === undefined) throw new Error(`cost.worker: no subject ${subject}`);
parentPort?.postMessage(await measureSubject(found, options));
