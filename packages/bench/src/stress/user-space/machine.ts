// `--handler iommufd`: the run's fault path with a fault queue of iommufd's behind it. A machine stands on each thread's view of the path.
import { IommuError } from '@faultline/core/errors';
import { type Generation, type IommuOps, type IopfConfig, type IopfSystem, WorkSink } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { type IommufdConfig, type IommufdDriver, iommufdConfig, Machine } from '@faultline/iommufd';

/** Number of the run's one fault queue. */
export const FAULT_QUEUE = 0;

/** Sizes for the run: user space has its fault file, and needs no object besides. */
export function machineConfig(iopf: IopfConfig): IommufdConfig {
  const none = { objects: 1, ioas: 1, areas: 1, pages: 1, pins: 1, ranges: 1, attachments: 1, veventqs: 1, events: 1 };
  return iommufdConfig({ ...iopf, ...none, contexts: 1, processes: 1, files: 1, faultQueues: 1 });
}

export interface MachineOrder {
  readonly system: IopfSystem;
  readonly ops: IommuOps;
  readonly generation: Generation;
}

/** A thread's machine. What no fault queue is for goes to the work queue: `locked` leaves a group's look-up to whoever handles it. */
export function openMachine(arena: Arena, { system, ops, generation }: MachineOrder): Machine {
  return new Machine({
    ...{ arena, self: system.self, system, ops, generation, driver: NO_DRIVER },
    work: new WorkSink(system),
    memoryOf: noSuch,
    fileOf: noSuch,
  });
}

/** Nobody makes objects here, so nobody asks a driver for anything: the run's own has attached the devices. */
const NO_DRIVER = new Proxy<IommufdDriver>({} as IommufdDriver, { get: (_, name) => () => noSuch(String(name)) });

function noSuch(what: unknown): never {
  throw new IommuError('ENODEV', 'openMachine', 'driver', what, 'a run has fault files alone');
}
