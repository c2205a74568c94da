import { Piscina } from 'piscina';
import type { HostExit } from './host-context.ts';
import type { HostTask } from './host-task.ts';
import { workerUrl } from './worker-url.ts';

/** Threads for hosts: each runs one host at a time, as one long task. */
export type HostPool = Piscina<HostTask, HostExit>;
export type HostResourceLimits = NonNullable<ConstructorParameters<typeof Piscina>[0]>['resourceLimits'];

/** Opens a pool that may serve one system after another: its threads, and their warm code, outlive a system. The caller destroys it. */
export function openHostPool(hosts: number, resourceLimits?: HostResourceLimits): HostPool {
  return new Piscina<HostTask, HostExit>({
    filename: workerUrl('host.worker', import.meta.url).href,
    minThreads: hosts,
    maxThreads: hosts,
    idleTimeout: Number.POSITIVE_INFINITY,
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  });
}
