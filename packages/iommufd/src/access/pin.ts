// Pinning through an access, and reading and writing at once.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { checkRange, pinRange, type RangePage, unpinRange, withRange } from '../ioas/index.ts';
import { ACCESS_ALIGNMENT, ACCESS_IOAS, ACCESS_UNPIN } from '../objects/index.ts';
import { withAccess } from './access.ts';

/** First byte and bytes. */
export interface AccessRange {
  readonly iova: bigint;
  readonly length: bigint;
}

/** Pins a range: its pages keep their place until the same range is unpinned, which its owner does at the latest when it is told that they go.
 * @returns the pages, in order. @throws IommuError EINVAL the access does not pin, length 0, whole pages are not what is mapped there, or it is
 * about to go; EOVERFLOW; ENOENT attached to nothing, or a hole; EPERM read-only; EFAULT; ENOMEM: nothing is pinned then. */
export function pinAccess(
  context: Context,
  call: string,
  access: number,
  { iova, length }: AccessRange,
  writable: boolean,
): RangePage[] {
  return context.machine.blocking(() =>
    withIoasOf(context, call, access, { iova, length }, (ioas, at) => {
      if (context.words[at + ACCESS_ALIGNMENT] !== PAGE_BYTES)
        throw new IommuError('EINVAL', call, 'access', context.objects.idOf(access), 'does not pin pages');
      const pages = pinRange(context, ioas, call, iova, length, writable);
      if (isWholePages(pages)) return pages;
      unpinRange(context, ioas, iova, length);
      throw new IommuError('EINVAL', call, 'iova', iova, 'what is mapped there is no whole pages');
    }),
  );
}

/** Lets go of what was pinned by the same range. Also while the access leaves its IOAS. */
export function unpinAccess(context: Context, access: number, { iova, length }: AccessRange): void {
  context.machine.blocking(() =>
    withAccess(context, access, (at) => unpinRange(context, context.words[at + ACCESS_UNPIN], iova, length)),
  );
}

/** Reads a range into `bytes`, or writes it from them. @param ram bytes by physical address. @throws IommuError as {@link pinAccess}, any range. */
export function accessBytes(
  context: Context,
  call: string,
  access: number,
  ram: Uint8Array,
  iova: bigint,
  bytes: Uint8Array,
  write: boolean,
): void {
  const range = { iova, length: BigInt(bytes.length) };
  context.machine.blocking(() =>
    withIoasOf(context, call, access, range, (ioas) =>
      withRange(context, ioas, call, iova, range.length, write, (pages) => {
        let done = 0;
        for (const page of pages) {
          const from = page.physical + page.offset;
          if (write) ram.set(bytes.subarray(done, done + page.bytes), from);
          else bytes.set(ram.subarray(from, from + page.bytes), done);
          done += page.bytes;
        }
      }),
    ),
  );
}

/** Runs `body` with the IOAS of an access, which stays. @throws IommuError EINVAL, EOVERFLOW the range; ENOENT attached to nothing */
function withIoasOf<T>(
  context: Context,
  call: string,
  access: number,
  { iova, length }: AccessRange,
  body: (ioas: number, accessAt: number) => T,
): T {
  checkRange(call, iova, length);
  return withAccess(context, access, (at) => {
    const ioas = context.words[at + ACCESS_IOAS];
    if (ioas === 0) throw new IommuError('ENOENT', call, 'access', context.objects.idOf(access), 'is not attached');
    return body(ioas, at);
  });
}

function isWholePages(pages: readonly RangePage[]): boolean {
  return pages.every(({ offset, bytes }, i) => offset === 0 && (bytes === PAGE_BYTES || i === pages.length - 1));
}
