import { endAccess } from '../access/index.ts';
import { endDevice } from '../device/bind.ts';
import { endFault } from '../fault-queue/alloc.ts';
import { endNestedHwpt } from '../hwpt/nested.ts';
import { endPagingHwpt } from '../hwpt/paging.ts';
import { endIoas } from '../ioas/alloc.ts';
import type { Destroyer } from '../objects/index.ts';
import {
  OBJ_ACCESS,
  OBJ_DEVICE,
  OBJ_FAULT,
  OBJ_HW_QUEUE,
  OBJ_HWPT_NESTED,
  OBJ_HWPT_PAGING,
  OBJ_IOAS,
  OBJ_SELFTEST,
  OBJ_VDEVICE,
  OBJ_VEVENTQ,
  OBJ_VIOMMU,
} from '../uapi/index.ts';
import { endVeventq } from '../veventq/alloc.ts';
import { endHwQueue, endVdevice, endViommu } from '../viommu/index.ts';
import type { Context } from './context.ts';

/** How objects of each type end: by OBJ_*. */
export function destroyersOf(context: Context): Readonly<Record<number, Destroyer>> {
  return {
    [OBJ_ACCESS]: (at) => endAccess(context, at),
    [OBJ_DEVICE]: (at) => endDevice(context, at),
    [OBJ_FAULT]: (at) => endFault(context, at),
    [OBJ_HWPT_NESTED]: (at, object) => endNestedHwpt(context, at, object),
    [OBJ_HWPT_PAGING]: (at, object) => endPagingHwpt(context, at, object),
    [OBJ_IOAS]: (at, object) => endIoas(context, at, object),
    [OBJ_HW_QUEUE]: (at, object) => endHwQueue(context, at, object),
    [OBJ_SELFTEST]: (at, object) => context.machine.objectEnds.get(OBJ_SELFTEST)?.(context, at, object),
    [OBJ_VDEVICE]: (at, object) => endVdevice(context, at, object),
    [OBJ_VEVENTQ]: (at, object) => endVeventq(context, at, object),
    [OBJ_VIOMMU]: (at, object) => endViommu(context, at, object),
  };
}
