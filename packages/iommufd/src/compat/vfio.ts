// The legacy VFIO container's ioctls on /dev/iommu, for its compat IOAS. @see Linux drivers/iommu/iommufd/vfio_compat.c
import { IommuError } from '@faultline/core/errors';
import type { Caller } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { setLarge } from '../ioas/options.ts';
import { withCompatIoas } from './compat-ioas.ts';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_CC_IOMMU,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1V2_IOMMU,
  VFIO_UNMAP_ALL,
} from './constants.ts';
import { mapDma, unmapDma } from './dma.ts';
import { getInfo } from './info.ts';

/** @param argument an address, or for CHECK_EXTENSION and SET_IOMMU the type itself. @returns the call's result.
 * @throws IommuError ENOTTY no such request; ENODEV no compat IOAS; EINVAL, EFAULT and what the IOAS refuses. */
export function vfioIoctl(context: Context, caller: Caller, request: number, argument: bigint): number {
  switch (request) {
    case VFIO_GET_API_VERSION:
      return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION:
      return checkExtension(context, argument);
    case VFIO_SET_IOMMU:
      return setIommu(context, argument);
    case VFIO_IOMMU_GET_INFO:
      return getInfo(context, caller, argument);
    case VFIO_IOMMU_MAP_DMA:
      return mapDma(context, caller, argument);
    case VFIO_IOMMU_UNMAP_DMA:
      return unmapDma(context, caller, argument);
    default:
      throw new IommuError('ENOTTY', 'ioctl', 'request', request, 'no such request');
  }
}

/** @returns 1 or 0. Devices that are not coherent are not bound, so whatever is attached is. */
function checkExtension(context: Context, type: bigint): number {
  if (type === BigInt(VFIO_DMA_CC_IOMMU)) return withCompatIoas(context, 'VFIO_CHECK_EXTENSION', () => 1);
  return [VFIO_TYPE1_IOMMU, VFIO_TYPE1V2_IOMMU, VFIO_UNMAP_ALL].some((known) => type === BigInt(known)) ? 1 : 0;
}

/** Type 1 unmaps in the middle of mappings: it gives large pages up for that. */
function setIommu(context: Context, type: bigint): number {
  const call = 'VFIO_SET_IOMMU';
  if (type !== BigInt(VFIO_TYPE1_IOMMU) && type !== BigInt(VFIO_TYPE1V2_IOMMU))
    throw new IommuError('EINVAL', call, 'type', type, 'must be Type1 or Type1v2');
  withCompatIoas(context, call, (ioas) => {
    if (type === BigInt(VFIO_TYPE1_IOMMU)) ioas.writeDomains(() => ioas.writeAreas(() => setLarge(ioas, false)));
  });
  return 0;
}
