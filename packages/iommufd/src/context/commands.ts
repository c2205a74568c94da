import { vfioIoas } from '../compat/compat-ioas.ts';
import { getHwInfo } from '../device/hw-info.ts';
import { faultQueueAlloc } from '../fault-queue/alloc.ts';
import { hwptAlloc } from '../hwpt/alloc.ts';
import { hwptGetDirtyBitmap, hwptSetDirtyTracking } from '../hwpt/dirty.ts';
import { hwptInvalidate } from '../hwpt/invalidate.ts';
import { ioasAlloc } from '../ioas/alloc.ts';
import { ioasChangeProcess } from '../ioas/change-process.ts';
import { ioasNoiommuGetPa } from '../ioas/get-pa.ts';
import { ioasCopy, ioasMap, ioasMapFile, ioasUnmap } from '../ioas/map-commands.ts';
import { option } from '../ioas/options.ts';
import { ioasAllowIovas, ioasIovaRanges } from '../ioas/ranges-commands.ts';
import { veventqAlloc } from '../veventq/alloc.ts';
import { hwQueueAlloc } from '../viommu/hw-queue.ts';
import { vdeviceAlloc } from '../viommu/vdevice.ts';
import { viommuAlloc } from '../viommu/viommu.ts';
import type { AnyCommand } from './command.ts';
import { destroy } from './destroy.ts';

/** Every ioctl of /dev/iommu. */
export const COMMANDS: readonly AnyCommand[] = [
  destroy,
  faultQueueAlloc,
  getHwInfo,
  hwQueueAlloc,
  hwptAlloc,
  hwptGetDirtyBitmap,
  hwptInvalidate,
  hwptSetDirtyTracking,
  ioasAlloc,
  ioasAllowIovas,
  ioasChangeProcess,
  ioasCopy,
  ioasIovaRanges,
  ioasMap,
  ioasMapFile,
  ioasNoiommuGetPa,
  ioasUnmap,
  option,
  vdeviceAlloc,
  veventqAlloc,
  vfioIoas,
  viommuAlloc,
];
