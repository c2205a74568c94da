// From inputs of typed calls to arguments of ioctls.
import { IommuError } from '@faultline/core/errors';
import { BYTES_AT } from './caller/index.ts';
import type { IovaRange } from './driver/index.ts';
import type { HwptInput, Protection } from './iommufd-inputs.ts';
import * as uapi from './uapi/index.ts';

export const RANGE_BYTES = 16;
/** Bytes of a dirty bitmap that is made here: 16 TiB by pages of 4 KiB. */
const MAX_BITMAP_BYTES = 2 ** 29;

export function mapFlags({ readable = true, writable = true }: Protection, iova: bigint | undefined): number {
  return (
    (iova === undefined ? 0 : uapi.IOAS_MAP_FIXED_IOVA) |
    (readable ? uapi.IOAS_MAP_READABLE : 0) |
    (writable ? uapi.IOAS_MAP_WRITEABLE : 0)
  );
}

export function dataArgs(data: Uint8Array | undefined): { dataLen: number; dataUptr: bigint } {
  return data === undefined ? { dataLen: 0, dataUptr: 0n } : { dataLen: data.length, dataUptr: BYTES_AT };
}

/** What the call refuses anyway gets no bitmap. @throws IommuError ENOMEM */
export function bitmapBytes(length: bigint, pageSize: bigint): number {
  if (length <= 0n || pageSize <= 0n) return 0;
  const bytes = Number((length / (pageSize & -pageSize) + 7n) / 8n);
  if (bytes > MAX_BITMAP_BYTES)
    throw new IommuError('ENOMEM', 'HWPT_GET_DIRTY_BITMAP', 'length', length, `its bitmap would have ${bytes} bytes`);
  return bytes;
}

export function decodeRanges(bytes: Uint8Array, count: number): IovaRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: count }, (_, i) => ({
    start: view.getBigUint64(i * RANGE_BYTES, true),
    last: view.getBigUint64(i * RANGE_BYTES + 8, true),
  }));
}

/** @throws IommuError EINVAL what is no 64-bit number. */
export function encodeRanges(call: string, ranges: readonly IovaRange[]): Uint8Array {
  const bytes = new Uint8Array(ranges.length * RANGE_BYTES);
  const view = new DataView(bytes.buffer);
  ranges.forEach(({ start, last }, i) => {
    for (const [field, value] of Object.entries({ start, last }))
      if (BigInt.asUintN(64, value) !== value)
        throw new IommuError('EINVAL', call, `allowed_iovas.${field}`, value, 'is no u64');
    view.setBigUint64(i * RANGE_BYTES, start, true);
    view.setBigUint64(i * RANGE_BYTES + 8, last, true);
  });
  return bytes;
}

export function hwptFlags({ nestParent, dirtyTracking, pasid, faultId }: HwptInput): number {
  return (
    (nestParent === true ? uapi.HWPT_ALLOC_NEST_PARENT : 0) |
    (dirtyTracking === true ? uapi.HWPT_ALLOC_DIRTY_TRACKING : 0) |
    (pasid === true ? uapi.HWPT_ALLOC_PASID : 0) |
    (faultId !== undefined ? uapi.HWPT_FAULT_ID_VALID : 0)
  );
}
