// VEVENTQ_ALLOC, and an event queue's end. @see Linux drivers/iommu/iommufd/eventq.c iommufd_veventq_alloc()
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Command, Context, Ucmd } from '../context/index.ts';
import { FILE_EVENTS } from '../files/layout.ts';
import {
  VEVENTQ_BODY,
  VEVENTQ_NEXT,
  VEVENTQ_TYPE,
  VEVENTQ_VIOMMU,
  VIOMMU_EVENT_LOCK,
  VIOMMU_EVENTQS,
} from '../objects/index.ts';
import { OBJ_VEVENTQ, OBJ_VIOMMU, VEVENTQ_ALLOC, VEVENTQ_TYPE_DEFAULT } from '../uapi/index.ts';
import { withViommu } from '../viommu/lists.ts';
import { EventQueue } from './event-queue.ts';
import { MAX_DEPTH, VEVENTQ_DEPTH } from './layout.ts';

const CALL = 'VEVENTQ_ALLOC';

export const veventqAlloc: Command<typeof VEVENTQ_ALLOC> = {
  struct: VEVENTQ_ALLOC,
  run(context, ucmd) {
    const { objects } = context;
    const { flags, type, veventqDepth, viommuId } = ucmd.args;
    if (flags !== 0) throw new IommuError('EOPNOTSUPP', CALL, 'flags', flags, 'must be 0');
    if (type === VEVENTQ_TYPE_DEFAULT)
      throw new IommuError('EOPNOTSUPP', CALL, 'type', type, 'must be a type of a driver');
    if (veventqDepth === 0 || veventqDepth > MAX_DEPTH)
      throw new IommuError('EINVAL', CALL, 'veventq_depth', veventqDepth, `must be from 1 to ${MAX_DEPTH}`);
    const viommu = objects.get(CALL, 'viommu_id', viommuId, OBJ_VIOMMU);
    try {
      // One of a type: who looks for it and who adds it do so in turn.
      withViommu(context, viommu, () => make(context, viommu, ucmd));
    } finally {
      objects.put(viommu);
    }
  },
};

/** Context: the vIOMMU's lock. */
function make(context: Context, viommu: number, { args, caller, respond }: Ucmd<typeof VEVENTQ_ALLOC>): void {
  const { machine, objects, words } = context;
  const { veventqs } = machine.pools;
  if (hasQueue(context, viommu, args.type))
    throw new IommuError('EEXIST', CALL, 'type', args.type, 'the vIOMMU has a queue of it');
  const undo: (() => void)[] = [];
  try {
    const object = objects.reserve(CALL, OBJ_VEVENTQ);
    undo.push(() => objects.abort(object));
    const body = veventqs.alloc(CALL);
    undo.push(() => veventqs.free(body)); // not in the list: nobody has seen it
    words[veventqs.at(body) + VEVENTQ_DEPTH] = args.veventqDepth;
    const at = objects.at(object);
    words[at + VEVENTQ_VIOMMU] = viommu;
    words[at + VEVENTQ_TYPE] = args.type;
    words[at + VEVENTQ_BODY] = body;
    // The file holds the object and the context, for as long as it is open.
    objects.hold(object);
    context.hold();
    undo.push(() => objects.release(object));
    undo.push(() => context.put());
    const fd = caller.files.reserve(CALL, FILE_EVENTS, context.number, object);
    undo.push(() => caller.files.abandon(fd));
    args.outVeventqId = objects.idOf(object);
    args.outVeventqFd = fd;
    respond();
    objects.hold(viommu);
    withEventQueues(context, viommu, (viommuAt) => {
      words[at + VEVENTQ_NEXT] = words[viommuAt + VIOMMU_EVENTQS];
      words[viommuAt + VIOMMU_EVENTQS] = object;
    });
    objects.finalize(object);
    caller.files.publish(fd); // last: from here on other threads may close it
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

function hasQueue(context: Context, viommu: number, type: number): boolean {
  const { objects, words } = context;
  return withEventQueues(context, viommu, (viommuAt) => {
    let object = words[viommuAt + VIOMMU_EVENTQS];
    while (object !== 0 && words[objects.at(object) + VEVENTQ_TYPE] >>> 0 !== type)
      object = words[objects.at(object) + VEVENTQ_NEXT];
    return object !== 0;
  });
}

function withEventQueues<T>({ machine, objects, words }: Context, viommu: number, body: (at: number) => T): T {
  const at = objects.at(viommu);
  mutexLock(words, at + VIOMMU_EVENT_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(words, at + VIOMMU_EVENT_LOCK, machine.self);
  }
}

/** Destroyer: its file is closed. What is left in it is dropped. */
export function endVeventq(context: Context, at: number, object: number): void {
  const { machine, objects, words } = context;
  const viommu = words[at + VEVENTQ_VIOMMU];
  withEventQueues(context, viommu, (viommuAt) => {
    let link = viommuAt + VIOMMU_EVENTQS;
    while (words[link] !== object) link = objects.at(words[link]) + VEVENTQ_NEXT;
    words[link] = words[at + VEVENTQ_NEXT];
  });
  const body = words[at + VEVENTQ_BODY];
  const queue = new EventQueue(machine, body);
  queue.drop(); // a report that had found it has let go of its lock by now
  queue.wake(); // who slept without the file's hold must not sleep on
  machine.pools.veventqs.free(body); // off the list, no file names it
  objects.release(viommu);
}
