// The memory of whoever calls: this process's own model of one, or another process. All that iommufd reads from, writes to and
// pins of a caller goes through here.

/** Bytes of a page of user memory. */
export const PAGE_BYTES = 4096;

/** Results of pin that are no address: nothing is there that may be pinned so; no memory for a page of the process's own. */
export const PIN_FAULT = -1;
export const PIN_NO_MEMORY = -2;

/** A process's memory, as one thread reaches it. Addresses are 64-bit. Not shared: open it again in each thread. */
export interface UserMemory {
  /** Copies from the caller. @returns false when not all of it can be read (EFAULT); `into` is undefined then. */
  read(address: bigint, into: Uint8Array): boolean;
  /** Copies to the caller. @returns false when not all of it can be written: what could be, in order, has been. */
  write(address: bigint, from: Uint8Array): boolean;
  /** Pins the page at an address (a multiple of PAGE_BYTES): it keeps its place until {@link unpin}.
   * Pinning for writing gives a page that was shared for copying to this process first. Pins of a page are counted.
   * @returns its physical address; PIN_FAULT: no memory is there, or none that may be written (EFAULT); PIN_NO_MEMORY. */
  pin(address: bigint, writable: boolean): number;
  /** @throws IommuError EINVAL the page is not pinned. */
  unpin(physical: number): void;
  /** Charges pages against the process's limit on locked memory. @returns false beyond it. */
  charge(pages: number): boolean;
  uncharge(pages: number): void;
}

/** A file whose pages can be mapped: a memfd, or a device's buffer. */
export interface MappableFile {
  /** Bytes. */
  readonly size: bigint;
  /** As of {@link UserMemory}: the page at a byte offset, a multiple of PAGE_BYTES. */
  pin(offset: bigint, writable: boolean): number;
  unpin(physical: number): void;
  /** A device's buffer was taken away: nothing of it can be mapped. Default false. */
  isRevoked?(): boolean;
}
