// What a thread that records puts round its parts, as it is set up. A thread that does not makes none of these.
import type { AddressSpace, FaultPath, HandlerPath, IopfSystem } from '@faultline/core/iopf';
import type { Clock, Words } from '@faultline/core/sync';
import { TraceWriter } from '@faultline/core/trace';
import type { IommuName } from '../../scenario/parameters.ts';
import {
  type Control,
  IOMMU_REGION,
  type Pump,
  type QueueControl,
  type QueuePlace,
  type Reporter,
} from '../../stress/family/family.ts';
import { FaultNumbers, ringBase, type TracePlace } from '../place.ts';
import { queueFill } from './queue-fill.ts';
import { TracedPath } from './traced-path.ts';
import { type Levels, TracedPump } from './traced-pump.ts';
import { TracedReporter } from './traced-reporter.ts';
import { TracedSpace } from './traced-space.ts';

/** The hardware's ring, and the queue that its pump serves: it takes commands. */
const HARDWARE_RING = 1;
const COMMANDS = 0;

export interface HandlerTrace {
  /** The core's work queue: groups. */
  path(own: HandlerPath): HandlerPath;
  /** User space: pages. */
  space(own: AddressSpace): AddressSpace;
}

export function traceHandler(system: IopfSystem, place: TracePlace, clock: Clock): HandlerTrace {
  const trace = new TraceWriter(system.words, ringBase(place, system.self.id));
  const numbers = new FaultNumbers(system.words, place);
  return {
    path: (own) => new TracedPath(own, system, trace, numbers, clock),
    space: (own) => new TracedSpace(own, trace, numbers, clock),
  };
}

export function traceHardware(words: Words, place: TracePlace, parts: { clock: Clock; pump: Pump }): Pump {
  return new TracedPump(parts.pump, COMMANDS, new TraceWriter(words, ringBase(place, HARDWARE_RING)), parts.clock);
}

export interface InterruptTrace {
  reporter(own: Reporter): Reporter;
  control(own: Control): Control;
}

/** @param parts.queues the hardware's, in the order of their numbers. */
export function traceInterrupt(
  system: IopfSystem,
  place: TracePlace,
  parts: {
    readonly iommu: IommuName;
    readonly queues: readonly QueuePlace[];
    readonly clock: Clock;
    readonly path: FaultPath;
  },
): InterruptTrace {
  const { words } = system;
  const { clock, iommu, path, queues } = parts;
  const trace = new TraceWriter(words, ringBase(place, system.self.id));
  const numberOf = (name: string): number => queues.findIndex((queue) => queue.name === name);
  const { name: faultQueue, fill } = queueFill(words, system.arena.base(IOMMU_REGION), iommu, place.queueEntries);
  const levels: Levels = {
    queue: numberOf(faultQueue),
    fill,
    domains: path.countsPending ? system.config.domains : 0,
    pending: (domain) => system.pending.read(domain),
  };
  const control = (own: Control): Control => {
    const { pump: faultPump } = own.queues[faultQueue];
    const traced = new TracedPump(faultPump, levels.queue, trace, clock, levels);
    const pumpOf = (name: string, pump: Pump): Pump =>
      pump === faultPump ? traced : new TracedPump(pump, numberOf(name), trace, clock);
    const all = Object.entries(own.queues).map(([name, queue]): [string, QueueControl] => [
      name,
      { ...queue, pump: pumpOf(name, queue.pump) },
    ]);
    return { ...own, queues: Object.fromEntries(all) };
  };
  return { control, reporter: (own) => new TracedReporter(own, words, trace, new FaultNumbers(words, place), clock) };
}
