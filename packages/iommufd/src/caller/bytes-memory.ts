import { IommuError } from '@faultline/core/errors';
import { PIN_FAULT, type UserMemory } from './user-memory.ts';

/** Where the bytes begin: 0 is a null pointer to who is handed one. */
export const BYTES_AT = 4096n;

/** An array of this language as a caller's memory: for what a call only copies in and out. Nothing of it can be mapped. */
export class BytesMemory implements UserMemory {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(address: bigint, into: Uint8Array): boolean {
    const at = Number(address - BYTES_AT);
    if (at < 0 || at + into.length > this.#bytes.length) return false;
    into.set(this.#bytes.subarray(at, at + into.length));
    return true;
  }

  write(address: bigint, from: Uint8Array): boolean {
    const at = Number(address - BYTES_AT);
    if (at < 0) return false;
    this.#bytes.set(from.subarray(0, Math.max(0, this.#bytes.length - at)), Math.min(at, this.#bytes.length));
    return at + from.length <= this.#bytes.length;
  }

  pin(): number {
    return PIN_FAULT;
  }
  unpin(physical: number): void {
    throw new IommuError('EINVAL', 'BytesMemory.unpin', 'physical', physical, 'nothing of it is ever pinned');
  }
  charge(): boolean {
    return true;
  }
  uncharge(): void {}
}
