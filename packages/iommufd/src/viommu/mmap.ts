// Regions of vIOMMUs that user space maps through /dev/iommu: each has an offset of its own, from one page up.
// @see Linux drivers/iommu/iommufd/main.c iommufd_fops_mmap(), driver.c _iommufd_alloc_mmap()
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { CONTEXT_LOCK, CONTEXT_REGIONS } from '../machine/layout.ts';
import { loadU64, storeU64 } from '../memory/index.ts';
import { VIOMMU_REGION, VIOMMU_REGION_NEXT, VIOMMU_REGION_PAGES, VIOMMU_REGION_PHYSICAL } from '../objects/index.ts';

/** Bits of a mapping's flags: as MAP_SHARED and PROT_EXEC. */
export const MMAP_SHARED = 1;
export const MMAP_EXEC = 4;

const CALL = 'mmap';
const PAGE = BigInt(PAGE_BYTES);

/** What was mapped: its user unmaps it by {@link unmapRegion}. */
export interface MappedRegion {
  /** Object that it is of. */
  readonly owner: number;
  readonly physical: number;
  readonly bytes: number;
}

/** Maps a vIOMMU's region, which keeps the vIOMMU and the context. @param offset as the vIOMMU's data gave it. @param length bytes.
 * @param flags MMAP_SHARED | MMAP_EXEC. @throws IommuError EINVAL not whole pages, or private; EPERM executable; ENXIO no region begins there,
 * or it has another length. */
export function mmapRegion(context: Context, offset: bigint, length: bigint, flags: number): MappedRegion {
  if (length === 0n || length % PAGE !== 0n)
    throw new IommuError('EINVAL', CALL, 'length', length, 'must be whole pages');
  if (offset % PAGE !== 0n) throw new IommuError('EINVAL', CALL, 'offset', offset, 'must be whole pages');
  if ((flags & MMAP_SHARED) === 0) throw new IommuError('EINVAL', CALL, 'flags', flags, 'must be shared');
  if ((flags & MMAP_EXEC) !== 0) throw new IommuError('EPERM', CALL, 'flags', flags, 'may not be executable');
  const { objects, words } = context;
  return withRegions(context, (head) => {
    let owner = words[head];
    while (owner !== 0 && BigInt(words[objects.at(owner) + VIOMMU_REGION]) * PAGE !== offset)
      owner = words[objects.at(owner) + VIOMMU_REGION_NEXT];
    const at = objects.at(owner);
    if (owner === 0 || BigInt(words[at + VIOMMU_REGION_PAGES]) * PAGE !== length || !objects.tryHold(owner))
      throw new IommuError('ENXIO', CALL, 'offset', offset, `no region of ${length} bytes begins there`);
    context.hold();
    return { owner, physical: Number(loadU64(words, at + VIOMMU_REGION_PHYSICAL)), bytes: Number(length) };
  });
}

/** Ends a mapping. */
export function unmapRegion(context: Context, { owner }: MappedRegion): void {
  context.objects.release(owner);
  context.put();
}

/** Gives a vIOMMU its region: the lowest offset from one page up at which it fits. It has none yet. @returns the offset.
 * @throws IommuError ENOMEM */
export function offerRegion(context: Context, call: string, viommu: number, physical: number, bytes: number): bigint {
  const { machine, objects, words } = context;
  if (machine.fail.fails('mmap region')) throw new IommuError('ENOMEM', call, 'mmap region', 0, 'made to fail');
  const pages = bytes / PAGE_BYTES;
  return withRegions(context, (head) => {
    let link = head;
    let page = 1;
    // In order of their offsets.
    while (words[link] !== 0) {
      const at = objects.at(words[link]);
      if (words[at + VIOMMU_REGION] - page >= pages) break;
      page = words[at + VIOMMU_REGION] + words[at + VIOMMU_REGION_PAGES];
      link = at + VIOMMU_REGION_NEXT;
    }
    const at = objects.at(viommu);
    words[at + VIOMMU_REGION] = page;
    words[at + VIOMMU_REGION_PAGES] = pages;
    storeU64(words, at + VIOMMU_REGION_PHYSICAL, BigInt(physical));
    words[at + VIOMMU_REGION_NEXT] = words[link];
    words[link] = viommu;
    return BigInt(page) * PAGE;
  });
}

/** Takes a vIOMMU's region back, if it has one: nobody maps it. */
export function removeRegion(context: Context, viommu: number): void {
  const { objects, words } = context;
  const at = objects.at(viommu);
  if (words[at + VIOMMU_REGION] === 0) return;
  withRegions(context, (head) => {
    let link = head;
    while (words[link] !== viommu) link = objects.at(words[link]) + VIOMMU_REGION_NEXT;
    words[link] = words[at + VIOMMU_REGION_NEXT];
    words[at + VIOMMU_REGION] = 0;
  });
}

function withRegions<T>({ at, words, machine }: Context, body: (head: number) => T): T {
  mutexLock(words, at + CONTEXT_LOCK, machine.self);
  try {
    return body(at + CONTEXT_REGIONS);
  } finally {
    mutexUnlock(words, at + CONTEXT_LOCK, machine.self);
  }
}
