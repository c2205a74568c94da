// IOAS_NOIOMMU_GET_PA: where mapped memory is, for drivers of devices that no IOMMU is in front of.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Command } from '../context/index.ts';
import { loadU64 } from '../memory/index.ts';
import { IOAS_NOIOMMU_GET_PA } from '../uapi/index.ts';
import { checkRange, contiguous } from './accesses.ts';
import { AREA_BYTE, AREA_PAGES, AREA_START } from './layout.ts';
import { pinnedAt, withPages } from './pages.ts';
import type { Ioas } from './tables.ts';
import { withIoas } from './with-ioas.ts';

const CALL = 'IOAS_NOIOMMU_GET_PA';
const PAGE = BigInt(PAGE_BYTES);

/** Tells the physical address of an IOVA, and how many bytes follow there without a gap, at most `length`. Only pinned memory has a place that
 * lasts: what is not pinned, by a domain or an access, is ENOENT, as what is not mapped. */
export const ioasNoiommuGetPa: Command<typeof IOAS_NOIOMMU_GET_PA> = {
  struct: IOAS_NOIOMMU_GET_PA,
  run(context, { args, respond }) {
    if (args.flags !== 0) throw new IommuError('EOPNOTSUPP', CALL, 'flags', args.flags, 'must be 0');
    withIoas(context, CALL, 'ioas_id', args.ioasId, (ioas) => {
      const last = checkRange(CALL, args.iova, args.length);
      const { physical, bytes } = ioas.readAreas(() => contiguousRun(ioas, args.iova, last));
      args.outPhys = BigInt(physical);
      args.length = bytes;
    });
    respond();
  },
};

/** Context: the areas lock. */
function contiguousRun(ioas: Ioas, iova: bigint, last: bigint): { readonly physical: number; readonly bytes: bigint } {
  let physical = -1;
  let bytes = 0n;
  try {
    for (const piece of contiguous(ioas, CALL, iova, last)) {
      for (const part of partsOf(ioas, piece)) {
        if (physical < 0) physical = part.physical;
        else if (part.physical !== physical + Number(bytes)) return { physical, bytes };
        bytes += part.bytes;
      }
    }
  } catch (error) {
    if (bytes === 0n || !(error instanceof IommuError && error.code === 'ENOENT')) throw error;
  }
  return { physical, bytes };
}

/** Pages of a piece of an area: where each is, and how much of it belongs to the piece. @throws IommuError ENOENT it is not pinned. */
function* partsOf(
  ioas: Ioas,
  { area, from, to }: { readonly area: number; readonly from: bigint; readonly to: bigint },
): Generator<{ readonly physical: number; readonly bytes: bigint }> {
  const { machine, words } = ioas.context;
  const at = machine.pools.areas.at(area);
  const shift = loadU64(words, at + AREA_BYTE) - loadU64(words, at + AREA_START);
  for (let iova = from; iova <= to; ) {
    const byte = shift + iova;
    const page = withPages(machine, words[at + AREA_PAGES], (pagesAt) =>
      pinnedAt(machine, pagesAt, Number(byte / PAGE)),
    );
    if (page < 0) throw new IommuError('ENOENT', CALL, 'iova', iova, 'is not pinned');
    const left = PAGE - (byte % PAGE);
    const bytes = left < to - iova + 1n ? left : to - iova + 1n;
    yield { physical: page + Number(byte % PAGE), bytes };
    iova += bytes;
  }
}
