// HWPT_SET_DIRTY_TRACKING and HWPT_GET_DIRTY_BITMAP. @see Linux drivers/iommu/iommufd/{hw_pagetable.c, io_pagetable.c}
import { IommuError } from '@faultline/core/errors';
import type { Command, Context } from '../context/index.ts';
import { Ioas, iovaAlignment, sweepAll, sweepRange } from '../ioas/index.ts';
import { U64_MAX } from '../memory/index.ts';
import { HWPT_DIRTY, HWPT_DOMAIN, HWPT_FLAGS, HWPT_IOAS } from '../objects/index.ts';
import {
  DIRTY_TRACKING_ENABLE,
  GET_DIRTY_BITMAP_NO_CLEAR,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_GET_DIRTY_BITMAP,
  HWPT_SET_DIRTY_TRACKING,
  OBJ_HWPT_PAGING,
} from '../uapi/index.ts';
import { UserBitmap } from './user-bitmap.ts';

/** Turning it on cleans everything first: what is reported afterwards was written since. */
export const hwptSetDirtyTracking: Command<typeof HWPT_SET_DIRTY_TRACKING> = {
  struct: HWPT_SET_DIRTY_TRACKING,
  run(context, { args }) {
    const call = 'HWPT_SET_DIRTY_TRACKING';
    if ((args.flags & ~DIRTY_TRACKING_ENABLE) !== 0)
      throw new IommuError('EOPNOTSUPP', call, 'flags', args.flags, 'has bits that are not known');
    withTracked(context, call, args.hwptId, (hwptAt, domain) => {
      const { machine, words } = context;
      const enable = (args.flags & DIRTY_TRACKING_ENABLE) !== 0;
      if (enable) {
        sweepAll(new Ioas(context, words[hwptAt + HWPT_IOAS]), domain);
        machine.driver.syncDirty(domain);
      }
      machine.driver.setDirtyTracking(domain, enable);
      Atomics.store(words, hwptAt + HWPT_DIRTY, enable ? 1 : 0);
    });
  },
};

/** A hole ends the walk, and a bitmap that cannot be written loses its bits: both are a success, as in Linux. */
export const hwptGetDirtyBitmap: Command<typeof HWPT_GET_DIRTY_BITMAP> = {
  struct: HWPT_GET_DIRTY_BITMAP,
  run(context, { args, caller }) {
    const call = 'HWPT_GET_DIRTY_BITMAP';
    if ((args.flags & ~GET_DIRTY_BITMAP_NO_CLEAR) !== 0)
      throw new IommuError('EOPNOTSUPP', call, 'flags', args.flags, 'has bits that are not known');
    const keep = (args.flags & GET_DIRTY_BITMAP_NO_CLEAR) !== 0;
    const { iova, length, pageSize } = args;
    withHwpt(context, call, args.hwptId, (hwptAt) => {
      const { machine, words } = context;
      const last = BigInt.asUintN(64, iova + length - 1n);
      if (iova + length - 1n > U64_MAX || last < iova)
        throw new IommuError('EOVERFLOW', call, 'length', length, `does not fit from iova ${iova}`);
      const ioas = new Ioas(context, words[hwptAt + HWPT_IOAS]);
      checkAligned(call, args, last, BigInt(iovaAlignment(ioas)));
      checkTracked(context, call, hwptAt, args.hwptId);
      if (machine.fail.fails('dirty bitmap')) throw new IommuError('ENOMEM', call, 'data', args.data, 'made to fail');
      const domain = words[hwptAt + HWPT_DOMAIN];
      const shift = Math.log2(Number(pageSize & -pageSize));
      const bitmap = new UserBitmap(caller.memory, args.data, iova, last, shift);
      sweepRange(ioas, domain, iova, last, keep, bitmap);
      bitmap.flush();
      if (!keep) machine.driver.syncDirty(domain);
    });
  },
};

function checkAligned(
  call: string,
  { iova, length, pageSize }: { readonly iova: bigint; readonly length: bigint; readonly pageSize: bigint },
  last: bigint,
  alignment: bigint,
): void {
  const end = last + 1n;
  if ((iova & (alignment - 1n)) !== 0n)
    throw new IommuError('EINVAL', call, 'iova', iova, `must be a multiple of ${alignment}`);
  if ((end & (alignment - 1n)) !== 0n)
    throw new IommuError('EINVAL', call, 'length', length, `must be a multiple of ${alignment}`);
  if (pageSize === 0n) throw new IommuError('EINVAL', call, 'page_size', pageSize, 'must not be 0');
  // A mask, not a remainder: a page size that is no power of two asks for what it asks in Linux.
  if (((iova | end) & (pageSize - 1n)) !== 0n)
    throw new IommuError('EINVAL', call, 'page_size', pageSize, `iova ${iova} and length ${length} are no multiples`);
}

/** @throws IommuError ENOENT no paging HWPT. */
function withHwpt(context: Context, call: string, id: number, body: (hwptAt: number) => void): void {
  const hwpt = context.objects.get(call, 'hwpt_id', id, OBJ_HWPT_PAGING);
  try {
    body(context.objects.at(hwpt));
  } finally {
    context.objects.put(hwpt);
  }
}

function withTracked(context: Context, call: string, id: number, body: (hwptAt: number, domain: number) => void): void {
  withHwpt(context, call, id, (at) => {
    checkTracked(context, call, at, id);
    body(at, context.words[at + HWPT_DOMAIN]);
  });
}

/** @throws IommuError EOPNOTSUPP */
function checkTracked({ words }: Context, call: string, hwptAt: number, id: number): void {
  if ((words[hwptAt + HWPT_FLAGS] & HWPT_ALLOC_DIRTY_TRACKING) === 0)
    throw new IommuError('EOPNOTSUPP', call, 'hwpt_id', id, 'was not made for dirty tracking');
}
