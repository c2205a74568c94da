// The memory of whoever calls: this process's own model of one, or another process. All that iommufd reads from, writes to and
// pins of a caller goes through here.

/** Bytes of a page of user memory. */
export const PAGE_BYTES = 4096;

/** Results of pin that are no address: nothing is there that may be pinned so; no memory for a page of the process's own. */
export const PIN_FAULT = -1;
export const PIN_NO_MEMORY = -2;

/** Whose limit on locked memory a page is charged against: nobody's, the user's (all their processes together), the process's own.
 * @see Linux drivers/iommu/iommufd/pages.c, account_mode */
export const ACCOUNT_NONE = 0;
export const ACCOUNT_USER = 1;
export const ACCOUNT_PROCESS = 2;
export type Account = 0 | 1 | 2;

/** A process's memory, as one thread reaches it. Addresses are 64-bit. Not shared: open it again in each thread. */
export interface UserMemory {
  /** Copies from the caller. @returns false when not all of it can be read (EFAULT); `into` is undefined then. */
  read(address: bigint, into: Uint8Array): boolean;
  /** Copies to the caller. @returns false when not all of it can be written: what could be, in order, has been. */
  write(address: bigint, from: Uint8Array): boolean;
  /** Pins the page at an address (a multiple of PAGE_BYTES): it keeps its place until {@link unpin}.
   * A page that was shared for copying is given to this process first. Pins of a page are counted.
   * @returns its physical address; PIN_FAULT: no memory is there, or none that may be written (EFAULT); PIN_NO_MEMORY. */
  pin(address: bigint, writable: boolean): number;
  /** @throws IommuError EINVAL the page is not pinned. */
  unpin(physical: number): void;
  /** Charges pages that are pinned for the process. @returns false beyond the limit: nothing is charged then. */
  charge(pages: number, account?: Account): boolean;
  /** @throws IommuError EINVAL more than was charged so. */
  uncharge(pages: number, account?: Account): void;
}

/** A file whose pages can be mapped: a memfd, or a device's buffer. */
export interface MappableFile {
  /** Bytes. */
  readonly size: bigint;
  /** As of {@link UserMemory}: the page at a byte offset, a multiple of PAGE_BYTES. */
  pin(offset: bigint, writable: boolean): number;
  unpin(physical: number): void;
  /** A device's buffer has a say in what is mapped of it; a memfd is found too short as it is pinned.
   * @throws IommuError EINVAL beyond its end, ENODEV it was taken away */
  checkMap?(call: string, start: bigint, length: bigint): void;
}
