import type { RunShape } from '../perfetto/cell-tracks.ts';
import type { CellTrace } from '../perfetto/cell-writer.ts';
import { allDevices, deviceOf } from './family/family.ts';
import { LAYOUTS } from './family/layouts.ts';
import type { Plan } from './plan.ts';
import type { CellOrder } from './run-cell.ts';

/** What a trace's tracks are made of. */
export function runShape({ parameters, family, maxThreads }: Plan): RunShape {
  return {
    devices: allDevices(family),
    handlers: parameters.handlers,
    deviceThreads: maxThreads,
    queues: LAYOUTS[parameters.iommu].queues,
    deviceOf: (thread) => deviceOf(thread, family.devices),
  };
}

/** What a trace says of a cell. */
export function traceNotes(order: CellOrder): Pick<CellTrace, 'name' | 'notes'> {
  const { generation, threads, repeat, scanPeriodMs, timeoutMs } = order;
  return {
    name: `${generation}, ${threads} threads, repeat ${repeat + 1}`,
    notes: { generation, threads, repeat: repeat + 1, scanPeriodMs, timeoutMs },
  };
}
