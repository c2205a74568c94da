// One subject on a thread of its own, which no other has taught its types; built as one file, as the fault path runs everywhere.
import { parentPort, workerData } from 'node:worker_threads';
import { findSubject } from './index.ts';
import { measureSubject } from './measure.ts';

export interface CostTask {
  readonly subject: string;
  readonly timeMs: number;
  readonly warmupMs: number;
}

const { subject, timeMs, warmupMs } = workerData as CostTask;
const found = findSubject(subject);
if (found === undefined) throw new Error(`cost.worker: no subject ${subject}`);
parentPort?.postMessage(await measureSubject(found, timeMs, warmupMs));
