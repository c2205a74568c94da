// VFIO_IOMMU_MAP_DMA and VFIO_IOMMU_UNMAP_DMA.
import { IommuError } from '@faultline/core/errors';
import type { Caller } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { checkRange } from '../ioas/accesses.ts';
import { cutAreas } from '../ioas/cut.ts';
import type { Ioas } from '../ioas/index.ts';
import { IOAS_NO_LARGE } from '../ioas/layout.ts';
import { mapSource } from '../ioas/map-source.ts';
import { unmapRange } from '../ioas/unmap.ts';
import { U64_MAX } from '../memory/index.ts';
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '../uapi/index.ts';
import { readStruct, writeBytes } from './bytes.ts';
import { withCompatIoas } from './compat-ioas.ts';
import {
  DMA_MAP,
  DMA_UNMAP,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_DMA_UNMAP_FLAG_ALL,
} from './constants.ts';

export function mapDma(context: Context, caller: Caller, address: bigint): number {
  const call = 'VFIO_IOMMU_MAP_DMA';
  const view = readStruct(caller, call, address, DMA_MAP.bytes);
  const flags = view.getUint32(DMA_MAP.flags, true);
  if ((flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)) !== 0)
    throw new IommuError('EINVAL', call, 'flags', flags, 'has bits that are not known');
  const prot =
    ((flags & VFIO_DMA_MAP_FLAG_READ) !== 0 ? IOAS_MAP_READABLE : 0) |
    ((flags & VFIO_DMA_MAP_FLAG_WRITE) !== 0 ? IOAS_MAP_WRITEABLE : 0);
  const start = view.getBigUint64(DMA_MAP.vaddr, true);
  const length = view.getBigUint64(DMA_MAP.size, true);
  const iova = view.getBigUint64(DMA_MAP.iova, true);
  withCompatIoas(context, call, (ioas) => mapSource(ioas, call, caller, { mm: caller.mm, start, length }, prot, iova));
  return 0;
}

/** `size` becomes what was unmapped, also when the call is refused half-way. */
export function unmapDma(context: Context, caller: Caller, address: bigint): number {
  const call = 'VFIO_IOMMU_UNMAP_DMA';
  const view = readStruct(caller, call, address, DMA_UNMAP.bytes);
  const flags = view.getUint32(DMA_UNMAP.flags, true);
  if ((flags & ~VFIO_DMA_UNMAP_FLAG_ALL) !== 0)
    throw new IommuError('EINVAL', call, 'flags', flags, 'has bits that are not known');
  const iova = view.getBigUint64(DMA_UNMAP.iova, true);
  const size = view.getBigUint64(DMA_UNMAP.size, true);
  withCompatIoas(context, call, (ioas) => {
    const all = (flags & VFIO_DMA_UNMAP_FLAG_ALL) !== 0;
    if (all && (iova !== 0n || size !== 0n))
      throw new IommuError('EINVAL', call, 'size', size, 'must be 0 with the flag to unmap all, as iova');
    if (!all) cutAtEnds(ioas, call, iova, size);
    let unmapped = 0n;
    try {
      const last = all ? U64_MAX : checkRange(call, iova, size);
      unmapRange(ioas, call, iova, last, (bytes) => {
        unmapped += bytes;
      });
    } finally {
      view.setBigUint64(DMA_UNMAP.size, unmapped, true);
      writeBytes(caller, call, address, view);
    }
  });
  return 0;
}

/** Type 1 may unmap part of a mapping: what sticks out at either end becomes an area of its own. */
function cutAtEnds(ioas: Ioas, call: string, iova: bigint, size: bigint): void {
  if (ioas.readAreas(() => ioas.context.words[ioas.at + IOAS_NO_LARGE]) === 0) return;
  const last = BigInt.asUintN(64, iova + size - 1n);
  cutAreas(ioas, call, iova === 0n ? [last] : [last, iova - 1n]);
}
