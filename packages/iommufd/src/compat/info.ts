// VFIO_IOMMU_GET_INFO, with its chain of capabilities.
import type { Caller } from '../caller/index.ts';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import type { IovaRange } from '../driver/index.ts';
import type { Ioas } from '../ioas/index.ts';
import { IOAS_ALIGNMENT, IOAS_DOMAIN, IOAS_FILLED, IOAS_RESERVED, SLOT_SIZES, SLOT_WORDS } from '../ioas/layout.ts';
import { gapsOf, rangesOf } from '../ioas/ranges.ts';
import { loadU64, U64_MAX } from '../memory/index.ts';
import { readStruct, writeBytes } from './bytes.ts';
import { withCompatIoas } from './compat-ioas.ts';
import {
  CAP_DMA_AVAIL,
  CAP_HEADER,
  CAP_IOVA_RANGE,
  INFO,
  VFIO_INFO_CAP_DMA_AVAIL,
  VFIO_INFO_CAP_IOVA_RANGE,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
} from './constants.ts';

const CALL = 'VFIO_IOMMU_GET_INFO';
const PAGE = BigInt(PAGE_BYTES);

/** Capabilities that fit are written whole; the chain is announced only if all of it does, and `argsz` becomes what all of it wants. */
export function getInfo(context: Context, caller: Caller, address: bigint): number {
  const given = readStruct(caller, CALL, address, INFO.minBytes).getUint32(INFO.argsz, true);
  withCompatIoas(context, CALL, (ioas) => {
    const { pageSizes, gaps } = describe(ioas);
    const caps = [dmaAvail(), iovaRanges(gaps)];
    let total: number = INFO.bytes;
    caps.forEach((cap, i) => {
      const next = i + 1 < caps.length ? total + cap.byteLength : 0;
      cap.setUint32(CAP_HEADER.next, next, true);
      if (given >= total + cap.byteLength) writeBytes(caller, CALL, address + BigInt(total), cap);
      total += cap.byteLength;
    });
    const info = new DataView(new ArrayBuffer(INFO.bytes));
    info.setUint32(INFO.argsz, total, true);
    info.setUint32(INFO.flags, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS, true);
    info.setBigUint64(INFO.iovaPgsizes, pageSizes, true);
    info.setUint32(INFO.capOffset, given >= total ? INFO.bytes : 0, true);
    writeBytes(caller, CALL, address, new DataView(info.buffer, 0, Math.min(given, INFO.bytes)));
  });
  return 0;
}

/** Page sizes as a bitmap: those that all domains have, a processor's page where they have smaller ones; without domains all from there up.
 * @see Linux drivers/iommu/iommufd/vfio_compat.c iommufd_get_pagesizes() */
function describe(ioas: Ioas): { readonly pageSizes: bigint; readonly gaps: IovaRange[] } {
  const { machine, words } = ioas.context;
  return ioas.readDomains(() =>
    ioas.readAreas(() => {
      const filled = words[ioas.at + IOAS_FILLED];
      let sizes = U64_MAX;
      for (let i = 0; i < filled; i++) sizes &= loadU64(words, ioas.at + IOAS_DOMAIN + SLOT_WORDS * i + SLOT_SIZES);
      if ((sizes & (PAGE - 1n)) !== 0n) sizes = (sizes & -PAGE) | PAGE;
      const alignment = BigInt(words[ioas.at + IOAS_ALIGNMENT]);
      return {
        pageSizes: sizes > alignment ? sizes : alignment,
        gaps: gapsOf(rangesOf(machine, ioas.at + IOAS_RESERVED), 0n, U64_MAX),
      };
    }),
  );
}

/** How many mappings there may be: no limit of ours. */
function dmaAvail(): DataView<ArrayBuffer> {
  const cap = capability(CAP_DMA_AVAIL.bytes, VFIO_INFO_CAP_DMA_AVAIL);
  cap.setUint32(CAP_DMA_AVAIL.avail, 0xffffffff, true);
  return cap;
}

function iovaRanges(gaps: readonly IovaRange[]): DataView<ArrayBuffer> {
  const cap = capability(CAP_IOVA_RANGE.bytes + gaps.length * CAP_IOVA_RANGE.rangeBytes, VFIO_INFO_CAP_IOVA_RANGE);
  cap.setUint32(CAP_IOVA_RANGE.count, gaps.length, true);
  gaps.forEach(({ start, last }, i) => {
    const at = CAP_IOVA_RANGE.bytes + i * CAP_IOVA_RANGE.rangeBytes;
    cap.setBigUint64(at, start, true);
    cap.setBigUint64(at + 8, last, true);
  });
  return cap;
}

function capability(bytes: number, id: number): DataView<ArrayBuffer> {
  const cap = new DataView(new ArrayBuffer(bytes));
  cap.setUint16(CAP_HEADER.id, id, true);
  cap.setUint16(CAP_HEADER.version, 1, true);
  return cap;
}
