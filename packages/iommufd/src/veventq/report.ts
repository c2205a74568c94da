import { checkInteger, IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Machine } from '../machine/index.ts';
import { VEVENTQ_BODY, VEVENTQ_NEXT, VEVENTQ_TYPE, VIOMMU_EVENT_LOCK, VIOMMU_EVENTQS } from '../objects/index.ts';
import { EventQueue } from './event-queue.ts';
import { EVENT_BYTES, EVENT_PAYLOAD, MAX_EVENT_BYTES } from './layout.ts';

const CALL = 'reportEvent';
// What is shared is words: a payload's bytes become words in the thread's own memory.
const scratch = new Int32Array(MAX_EVENT_BYTES / 4);
const scratchBytes = new Uint8Array(scratch.buffer);

/** Reports an event of a vIOMMU to user space. For drivers, on any thread: takes the event queues' locks only, and waits for no reader's
 * copy. What finds its queue full is counted by its number, and lost; this is no error.
 * @param viommu object: the caller keeps it from ending. @param type VEVENTQ_TYPE_*. @param bytes payload, 1 to 32 bytes.
 * @throws IommuError EOPNOTSUPP nobody made a queue of the type; EINVAL bytes; ENOMEM no event is left: it is lost, and the reader is told.
 * @see Linux drivers/iommu/iommufd/driver.c iommufd_viommu_report_event() */
export function reportEvent(machine: Machine, viommu: number, type: number, bytes: Uint8Array): void {
  checkInteger(CALL, 'bytes', bytes.length, 1, MAX_EVENT_BYTES);
  // Before any lock; a queue that is not there, or full, gives it back.
  const { event, refusal } = fill(machine, bytes);
  const queue = lockQueue(machine, viommu, type);
  if (queue === undefined) {
    if (event !== 0) machine.pools.events.free(event); // nobody has seen it
    throw new IommuError('EOPNOTSUPP', CALL, 'type', type, 'nobody made an event queue of it');
  }
  const isIn = queue.append(event);
  queue.unlock();
  queue.wake();
  if (!isIn && event !== 0) machine.pools.events.free(event); // nobody has seen it
  if (refusal !== undefined) throw refusal;
}

function fill({ words, pools }: Machine, bytes: Uint8Array): { event: number; refusal?: IommuError } {
  try {
    const event = pools.events.alloc(CALL);
    const at = pools.events.at(event);
    words[at + EVENT_BYTES] = bytes.length;
    scratchBytes.set(bytes);
    for (let i = 0; i < scratch.length; i++) words[at + EVENT_PAYLOAD + i] = scratch[i];
    return { event };
  } catch (error) {
    if (error instanceof IommuError) return { event: 0, refusal: error };
    throw error;
  }
}

/** The queue of a type, locked before the list is let go of: its destroyer takes it off the list, then waits for the queue's lock. */
function lockQueue(machine: Machine, viommu: number, type: number): EventQueue | undefined {
  const { words, pools, self } = machine;
  const at = pools.objects.at(viommu);
  mutexLock(words, at + VIOMMU_EVENT_LOCK, self);
  try {
    for (
      let object = words[at + VIOMMU_EVENTQS];
      object !== 0;
      object = words[pools.objects.at(object) + VEVENTQ_NEXT]
    ) {
      const objectAt = pools.objects.at(object);
      if (words[objectAt + VEVENTQ_TYPE] >>> 0 !== type) continue;
      const queue = new EventQueue(machine, words[objectAt + VEVENTQ_BODY]);
      queue.lock();
      return queue;
    }
    return undefined;
  } finally {
    mutexUnlock(words, at + VIOMMU_EVENT_LOCK, self);
  }
}
