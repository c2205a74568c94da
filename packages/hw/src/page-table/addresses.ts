// Addresses and lengths as numbers of 4 KiB pages, checked where they come in.
import { IommuError } from '@faultline/core/errors';

/** Pages of a 64-bit address space. */
export const MAX_PAGES: number = 2 ** 52;

/** @throws IommuError EINVAL unless it is a page number. */
export function checkPage(call: string, field: string, page: number): void {
  if ((page | 0) === page && page >= 0) return; // most are small
  if (!(page >= 0 && page < MAX_PAGES && Math.floor(page) === page)) throw noPage(call, field, page);
}

/** @throws IommuError EINVAL an empty range or no page number, EOVERFLOW a range past the end of 64-bit addresses. */
export function checkRange(call: string, field: string, first: number, pages: number): void {
  checkPage(call, field, first);
  if (!Number.isInteger(pages) || pages < 1 || pages > MAX_PAGES)
    throw new IommuError('EINVAL', call, 'pages', pages, 'must be a whole number from 1 to 2^52');
  if (first + pages > MAX_PAGES)
    throw new IommuError('EOVERFLOW', call, 'pages', pages, `runs past the end of the addresses from ${first}`);
}

function noPage(call: string, field: string, page: number): IommuError {
  return new IommuError('EINVAL', call, field, page, 'must be a whole number of pages below 2^52');
}
