// A vIOMMU's event queue: setup makes it, devices' events go in, a read takes them out.
import type { IommuThread } from './iommu-machine.ts';
import { makeViommu, NEXT_ID, VIOMMU } from './iommu-start.ts';
import { EventFile, reportEvent, VEVENTQ_BODY, veventqAlloc } from './iommufd.ts';

const TYPE = 1;
const PAYLOAD = new Uint8Array(8);
/** Of an event, with its header. */
export const EVENT_BYTES = 16;

/** Object {@link NEXT_ID}, on a vIOMMU; its file is the first descriptor. */
export function makeEventQueue(first: IommuThread, depth: number): void {
  makeViommu(first);
  allocEventQueue(first, depth);
}

/** @throws IommuError EINVAL the depth. */
export function allocEventQueue({ call }: IommuThread, veventqDepth: number): void {
  call(veventqAlloc, { viommuId: VIOMMU, type: TYPE, veventqDepth });
}

/** @throws IommuError ENOMEM */
export function reportOne({ machine, context }: IommuThread): void {
  const viommu = context.objects.get('report', 'viommu_id', VIOMMU);
  try {
    reportEvent(machine, viommu, TYPE, PAYLOAD);
  } finally {
    context.objects.put(viommu);
  }
}

/** read(). @param writable bytes of the buffer that can be written: events are copied whole or not. */
export function readEvents({ machine, context, user }: IommuThread, count: number, writable: number): number {
  const { objects, words } = context;
  const queue = objects.get('read', 'veventq_id', NEXT_ID);
  const memory = Object.create(user, {
    write: { value: (address: bigint, from: Uint8Array) => Number(address) + from.length <= writable },
  });
  try {
    return new EventFile(machine, words[objects.at(queue) + VEVENTQ_BODY]).read(memory, 0n, count);
  } finally {
    objects.put(queue);
  }
}
