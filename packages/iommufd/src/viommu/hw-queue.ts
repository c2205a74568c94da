// HW_QUEUE_ALLOC: a guest's command queue that hardware reads by itself, in memory that must stay where it is.
// @see Linux drivers/iommu/iommufd/viommu.c iommufd_hw_queue_alloc_ioctl(), iommufd_hw_queue_destroy()
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Command, Context, Ucmd } from '../context/index.ts';
import { type LockedRange, lockRange, unlockRange } from '../ioas/locked-range.ts';
import { loadU64, storeU64, U64_MAX } from '../memory/index.ts';
import {
  HW_QUEUE_DEPENDS,
  HW_QUEUE_INDEX,
  HW_QUEUE_IOVA,
  HW_QUEUE_LENGTH,
  HW_QUEUE_NEXT,
  HW_QUEUE_TYPE,
  HW_QUEUE_VIOMMU,
  HWPT_IOAS,
  VIOMMU_HWPT,
  VIOMMU_NUMBER,
  VIOMMU_QUEUES,
} from '../objects/index.ts';
import { HW_QUEUE_ALLOC, HW_QUEUE_TYPE_DEFAULT, OBJ_HW_QUEUE, OBJ_VIOMMU } from '../uapi/index.ts';
import { withViommu } from './lists.ts';

const CALL = 'HW_QUEUE_ALLOC';
const PAGE = BigInt(PAGE_BYTES);

export const hwQueueAlloc: Command<typeof HW_QUEUE_ALLOC> = {
  struct: HW_QUEUE_ALLOC,
  run(context, ucmd) {
    const { machine, objects, words } = context;
    const { flags, type, length, nestingParentIova, viommuId } = ucmd.args;
    if (flags !== 0) throw new IommuError('EOPNOTSUPP', CALL, 'flags', flags, 'must be 0');
    if (type === HW_QUEUE_TYPE_DEFAULT)
      throw new IommuError('EOPNOTSUPP', CALL, 'type', type, 'must be a type of a driver');
    if (length === 0n) throw new IommuError('EINVAL', CALL, 'length', length, 'must not be 0');
    if (nestingParentIova + length - 1n > U64_MAX)
      throw new IommuError('EOVERFLOW', CALL, 'nesting_parent_iova', nestingParentIova, `${length} bytes wrap`);
    const viommu = objects.get(CALL, 'viommu_id', viommuId, OBJ_VIOMMU);
    try {
      if (!machine.driver.hasHwQueue(words[objects.at(viommu) + VIOMMU_NUMBER], type))
        throw new IommuError('EOPNOTSUPP', CALL, 'type', type, 'the vIOMMU has no such queues');
      make(context, viommu, ucmd);
    } finally {
      objects.put(viommu);
    }
  },
};

function make(context: Context, viommu: number, { args, respond }: Ucmd<typeof HW_QUEUE_ALLOC>): void {
  const { objects, words } = context;
  const undo: (() => void)[] = [];
  try {
    const queue = objects.reserve(CALL, OBJ_HW_QUEUE);
    undo.push(() => objects.abort(queue));
    const at = objects.at(queue);
    words[at + HW_QUEUE_VIOMMU] = viommu;
    words[at + HW_QUEUE_INDEX] = args.index;
    words[at + HW_QUEUE_TYPE] = args.type;
    storeU64(words, at + HW_QUEUE_IOVA, args.nestingParentIova);
    storeU64(words, at + HW_QUEUE_LENGTH, args.length);
    const range = rangeOf(context, at, queue);
    if (range.length > U64_MAX)
      throw new IommuError('ERANGE', CALL, 'length', args.length, 'does not fit as whole pages');
    const physical = lockRange(context, CALL, range) + Number(args.nestingParentIova % PAGE);
    undo.push(() => unlockRange(context, range));
    // Until it can be found, so that no later queue depends on one that is taken back.
    withViommu(context, viommu, (viommuAt) => {
      start(context, viommuAt, queue, physical);
      try {
        args.outHwQueueId = objects.idOf(queue);
        respond();
      } catch (error) {
        stop(context, viommuAt, queue);
        throw error;
      }
    });
    objects.hold(viommu);
    objects.finalize(queue);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** The pages that a queue is in. */
function rangeOf({ objects, words }: Context, at: number, queue: number): LockedRange {
  const iova = loadU64(words, at + HW_QUEUE_IOVA);
  const offset = iova % PAGE;
  const length = ((offset + loadU64(words, at + HW_QUEUE_LENGTH) + PAGE - 1n) / PAGE) * PAGE;
  const hwpt = words[objects.at(words[at + HW_QUEUE_VIOMMU]) + VIOMMU_HWPT];
  return { ioas: words[objects.at(hwpt) + HWPT_IOAS], holder: queue, iova: iova - offset, length };
}

/** Starts a queue, which keeps the one that it needs. Context: the vIOMMU's lock. @throws IommuError EINVAL, EEXIST, EIO the driver's */
function start({ machine, objects, words }: Context, viommuAt: number, queue: number, physical: number): void {
  const { driver } = machine;
  const at = objects.at(queue);
  const viommu = words[viommuAt + VIOMMU_NUMBER];
  const index = words[at + HW_QUEUE_INDEX] >>> 0;
  const iova = loadU64(words, at + HW_QUEUE_IOVA);
  const type = words[at + HW_QUEUE_TYPE] >>> 0;
  const needs = driver.allocHwQueue(viommu, type, index, iova, physical, loadU64(words, at + HW_QUEUE_LENGTH));
  if (needs >= 0) {
    let needed = words[viommuAt + VIOMMU_QUEUES];
    while (needed !== 0 && words[objects.at(needed) + HW_QUEUE_INDEX] !== needs)
      needed = words[objects.at(needed) + HW_QUEUE_NEXT];
    if (needed === 0 || !objects.tryHold(needed)) {
      driver.freeHwQueue(viommu, index);
      throw new IommuError('EIO', CALL, 'index', index, `queue ${needs} is going`);
    }
    words[at + HW_QUEUE_DEPENDS] = needed;
  }
  words[at + HW_QUEUE_NEXT] = words[viommuAt + VIOMMU_QUEUES];
  words[viommuAt + VIOMMU_QUEUES] = queue;
}

/** Context: the vIOMMU's lock. */
function stop({ machine, objects, words }: Context, viommuAt: number, queue: number): void {
  const at = objects.at(queue);
  let link = viommuAt + VIOMMU_QUEUES;
  while (words[link] !== queue) link = objects.at(words[link]) + HW_QUEUE_NEXT;
  words[link] = words[at + HW_QUEUE_NEXT];
  machine.driver.freeHwQueue(words[viommuAt + VIOMMU_NUMBER], words[at + HW_QUEUE_INDEX] >>> 0);
  if (words[at + HW_QUEUE_DEPENDS] !== 0) objects.release(words[at + HW_QUEUE_DEPENDS]);
}

/** Destroyer: no later queue depends on it. The hardware stops reading before its memory may move. */
export function endHwQueue(context: Context, at: number, queue: number): void {
  const viommu = context.words[at + HW_QUEUE_VIOMMU];
  withViommu(context, viommu, (viommuAt) => stop(context, viommuAt, queue));
  unlockRange(context, rangeOf(context, at, queue));
  context.objects.release(viommu);
}
