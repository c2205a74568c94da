// Cutting an area in two: what legacy VFIO of type 1 needs to unmap in the middle of a mapping.
import { IommuError } from '@faultline/core/errors';
import { loadU64, storeU64 } from '../memory/index.ts';
import {
  AREA_ACCESSES,
  AREA_BYTE,
  AREA_LAST,
  AREA_LOCKS,
  AREA_PAGES,
  AREA_PREVENT,
  AREA_PROT,
  AREA_SIBLING,
  AREA_START,
  AREA_STORAGE,
  IOAS_ALIGNMENT,
  IOAS_NO_LARGE,
  PAGES_AREAS,
} from './layout.ts';
import { getPages, withPages } from './pages.ts';
import type { Ioas } from './tables.ts';

/** Cuts the areas that the given IOVAs are in, each behind its IOVA. Where nothing is mapped, or an area ends there, nothing is done.
 * @throws IommuError EBUSY the area is being mapped or unmapped; EINVAL the cut is not aligned, an access has pinned some of it, or a domain
 * may have large pages there; ENOMEM. Earlier cuts stay. @see Linux drivers/iommu/iommufd/io_pagetable.c iopt_cut_iova() */
export function cutAreas(ioas: Ioas, call: string, lasts: readonly bigint[]): void {
  ioas.writeAreas(() => {
    for (const last of lasts) {
      const area = ioas.areas.holding(last);
      if (area !== 0 && ioas.areas.last(area) !== last) cut(ioas, call, area, last);
    }
  });
}

/** Context: the areas lock, for writing. */
function cut(ioas: Ioas, call: string, area: number, last: bigint): void {
  const { machine, words } = ioas.context;
  const at = machine.pools.areas.at(area);
  const start = loadU64(words, at + AREA_START);
  const end = loadU64(words, at + AREA_LAST);
  const pages = words[at + AREA_PAGES];
  if (pages === 0 || words[at + AREA_PREVENT] === 1 || words[at + AREA_LOCKS] > 0)
    throw new IommuError('EBUSY', call, 'iova', start, 'is being mapped or unmapped, or is a hardware queue’s');
  const byte = loadU64(words, at + AREA_BYTE) + (last + 1n - start);
  if (((last + 1n) | byte) & BigInt(words[ioas.at + IOAS_ALIGNMENT] - 1))
    throw new IommuError('EINVAL', call, 'iova', last + 1n, `must be a multiple of ${words[ioas.at + IOAS_ALIGNMENT]}`);
  if (Atomics.load(words, at + AREA_ACCESSES) > 0)
    throw new IommuError('EINVAL', call, 'iova', start, 'is pinned by an access, which knows it whole');
  const right = machine.pools.areas.alloc(call);
  const rightAt = machine.pools.areas.at(right);
  withPages(machine, pages, (pagesAt) => {
    const storage = words[at + AREA_STORAGE];
    if (storage !== 0 && words[ioas.at + IOAS_NO_LARGE] === 0) {
      machine.pools.areas.free(right); // nobody has seen it
      throw new IommuError('EINVAL', call, 'iova', start, 'a domain may have it in pages that cannot be cut');
    }
    storeU64(words, rightAt + AREA_BYTE, byte);
    words[rightAt + AREA_PROT] = words[at + AREA_PROT];
    words[rightAt + AREA_STORAGE] = storage;
    if (storage !== 0) {
      words[rightAt + AREA_SIBLING] = words[pagesAt + PAGES_AREAS];
      words[pagesAt + PAGES_AREAS] = right;
    }
    storeU64(words, at + AREA_LAST, last); // before the other is put behind it
    ioas.areas.insert(right, last + 1n, end);
    getPages(machine, pages);
    words[rightAt + AREA_PAGES] = pages;
  });
}
