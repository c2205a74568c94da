import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core';
import type { CostTask } from './cost.worker.ts';
import type { CostOptions, CostRow } from './measure.ts';

/** Measures a subject on a fresh thread. Rejects with what that thread throws. */
export async function measureApart(subject: string, options: CostOptions): Promise<CostRow[]> {
  const task: CostTask = { subject, options };
  const worker = new Worker(workerUrl('cost.worker', import.meta.url), { workerData: task });
  try {
    const [rows] = (await once(worker, 'message')) as [CostRow[]];
    return rows;
  } finally {
    await worker.terminate();
  }
}
