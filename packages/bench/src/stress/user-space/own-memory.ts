import type { UserMemory } from '@faultline/iommufd';

/** The memory of one reader: bytes of its own, from {@link base} on. Nothing else of it can be reached, and nothing is pinned. */
export class OwnMemory implements UserMemory {
  /** Address of the first byte. 0 is nowhere, as in every process. */
  readonly base = 0x1000n;
  readonly bytes: Uint8Array<ArrayBuffer>;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }

  read(address: bigint, into: Uint8Array): boolean {
    const at = this.#find(address, into.length);
    if (at >= 0) into.set(this.bytes.subarray(at, at + into.length));
    return at >= 0;
  }
  write(address: bigint, from: Uint8Array): boolean {
    const at = this.#find(address, from.length);
    if (at >= 0) this.bytes.set(from, at);
    return at >= 0;
  }
  pin(): number {
    return PIN_FAULT;
  }
  unpin(): void {}
  charge(): boolean {
    return true;
  }
  uncharge(): void {}

  /** @returns -1 where not all of it is there. */
  #find(address: bigint, length: number): number {
    const at = Number(address - this.base);
    return at >= 0 && at + length <= this.bytes.length ? at : -1;
  }
}

const PIN_FAULT = -1;
