// What typed calls take and give. Ids are those of the context, 0 is none. Addresses and lengths are bytes, 64-bit.
import type { IommuError } from '@faultline/core/errors';
import type { IovaRange } from './driver/index.ts';

/** Unmaps everything: `ioasUnmap({ ioasId, ...EVERYTHING })`. */
export const EVERYTHING: { readonly iova: bigint; readonly length: bigint } = { iova: 0n, length: 2n ** 64n - 1n };

/** What devices may do with a mapping. */
export interface Protection {
  /** Default true. */
  readonly readable?: boolean;
  /** Default true. */
  readonly writable?: boolean;
}

export interface MapInput extends Protection {
  readonly ioasId: number;
  /** In the caller's memory. */
  readonly userVa: bigint;
  readonly length: bigint;
  /** Left out: one that is free is chosen, never 0. */
  readonly iova?: bigint;
}

export interface MapFileInput extends Protection {
  readonly ioasId: number;
  /** Descriptor of a memfd or a device's buffer. */
  readonly fd: number;
  /** First byte of the file. Default 0. */
  readonly start?: bigint;
  readonly length: bigint;
  /** As in {@link MapInput}. */
  readonly iova?: bigint;
}

export interface CopyInput extends Protection {
  readonly srcIoasId: number;
  readonly srcIova: bigint;
  readonly length: bigint;
  readonly dstIoasId: number;
  /** As `iova` in {@link MapInput}. */
  readonly dstIova?: bigint;
}

export interface UnmapInput {
  readonly ioasId: number;
  readonly iova: bigint;
  readonly length: bigint;
}

export interface IovaRanges {
  /** First and last byte, both included. */
  readonly ranges: readonly IovaRange[];
  /** Of IOVAs and lengths, a power of two. */
  readonly alignment: bigint;
}

export interface OptionInput {
  /** OPTION_RLIMIT_MODE, OPTION_HUGE_PAGES. */
  readonly optionId: number;
  /** Default 0: the context itself. */
  readonly objectId?: number;
  /** Left out: nothing is set. */
  readonly value?: bigint;
}

export interface VfioIoasInput {
  /** VFIO_IOAS_GET, VFIO_IOAS_SET, VFIO_IOAS_CLEAR. */
  readonly op: number;
  /** For VFIO_IOAS_SET. */
  readonly ioasId?: number;
}

export interface HwptInput {
  readonly devId: number;
  /** An IOAS; for a nested one an HWPT that is a nesting parent, or a vIOMMU. */
  readonly ptId: number;
  readonly nestParent?: boolean;
  readonly dirtyTracking?: boolean;
  /** It may be attached to PASIDs. */
  readonly pasid?: boolean;
  /** Fault queue that its page requests go to. */
  readonly faultId?: number;
  /** HWPT_DATA_*, with `data`. */
  readonly dataType?: number;
  readonly data?: Uint8Array;
}

export interface HwInfoResult {
  /** HW_INFO_TYPE_*. */
  readonly type: number;
  readonly bytes: Uint8Array;
  /** log2 of the PASIDs that the device may have, 0: none. */
  readonly maxPasidLog2: number;
  /** HW_CAP_* bits. */
  readonly capabilities: bigint;
}

export interface DirtyBitmapInput {
  readonly hwptId: number;
  readonly iova: bigint;
  readonly length: bigint;
  /** Bytes that a bit stands for: `iova` and `length` are multiples of it. */
  readonly pageSize: bigint;
  /** What is found dirty stays dirty, and no translation is flushed: for the last reading before the unmap. Default false. */
  readonly noClear?: boolean;
  /** Bits are only set in it. Left out: a fresh one. */
  readonly bitmap?: Uint8Array;
}

export interface InvalidateInput {
  /** A nested HWPT or a vIOMMU. */
  readonly hwptId: number;
  readonly dataType: number;
  readonly entryBytes: number;
  /** One behind the other. Left out: only `dataType` is tried. */
  readonly entries?: Uint8Array;
}

export interface InvalidateResult {
  /** Entries that took effect. */
  readonly handled: number;
  /** Why the next one did not, or none. */
  readonly refusal: IommuError | undefined;
}

export interface ViommuInput {
  /** VIOMMU_TYPE_*. */
  readonly type: number;
  readonly devId: number;
  /** A nesting parent. */
  readonly hwptId: number;
  /** Outputs are written into it. */
  readonly data?: Uint8Array;
}

export interface VdeviceInput {
  readonly viommuId: number;
  readonly devId: number;
  /** What the machine knows the device by, such as a stream id. */
  readonly virtId: bigint;
}

export interface VeventqInput {
  readonly viommuId: number;
  /** VEVENTQ_TYPE_*. */
  readonly type: number;
  /** Events that may wait: of more, the reader learns that they were lost. */
  readonly depth: number;
}

export interface HwQueueInput {
  readonly viommuId: number;
  /** HW_QUEUE_TYPE_*. */
  readonly type: number;
  readonly index: number;
  /** Where its memory is in the nesting parent. */
  readonly iova: bigint;
  readonly length: bigint;
}

export interface NoiommuInput {
  readonly ioasId: number;
  readonly iova: bigint;
  readonly length: bigint;
}
