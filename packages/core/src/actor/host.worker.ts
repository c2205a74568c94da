// One thread, as one long pool task. It hosts actors and runs their pumps; the loop is in host-loop.ts.
import { parentPort } from 'node:worker_threads';
import { IommuError } from '../errors/index.ts';
import { HostContext, type HostExit, type HostSetup } from './host-context.ts';
import { parseHostTask } from './host-task.ts';

export default async function actorHost(value: unknown): Promise<HostExit> {
  const task = parseHostTask(value); // throws before the first event is taken, naming the bad field
  const host = new HostContext(task, (failure) => parentPort?.postMessage({ actorFailure: failure }));
  const module = (await import(task.setup)) as { default?: HostSetup };
  if (typeof module.default !== 'function')
    throw new IommuError('EINVAL', 'actorHost', 'setup', task.setup, 'must export a HostSetup function as its default');
  await module.default(host, task.data);
  return host.run(); // returns once told to stop and drained
}
