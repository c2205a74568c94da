import type { DirtyBitmap } from '@faultline/hw/page-table';
import type { DirtySink } from '@faultline/iommufd';

const PAGE_BYTES = 4096n;

/** Tells a sink of each run of set bits, as bytes. */
export function markRuns({ bits, first, pages }: DirtyBitmap, sink: DirtySink): void {
  const isSet = (page: number): boolean => (bits[page >>> 5] & (1 << (page & 31))) !== 0;
  for (let page = 0; page < pages; ) {
    if ((page & 31) === 0 && bits[page >>> 5] === 0) {
      page += 32;
      continue;
    }
    if (!isSet(page)) {
      page++;
      continue;
    }
    const from = page;
    while (page < pages && isSet(page)) page++;
    sink.mark(BigInt(first + from) * PAGE_BYTES, BigInt(first + page) * PAGE_BYTES - 1n);
  }
}
