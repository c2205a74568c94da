import { Worker } from 'node:worker_threads';

/** Starts a thread of a test. @returns what it posts. @throws what it throws, or an Error when it ends without having posted anything */
export function startWorker<Outcome>(url: URL, task: { readonly role: string }): Promise<Outcome> {
  const worker = new Worker(url, { workerData: task });
  return new Promise((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`${task.role} ended with ${code} and no outcome`)));
  });
}
