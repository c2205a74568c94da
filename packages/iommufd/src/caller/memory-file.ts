import { IommuError } from '@faultline/core/errors';
import { hugeAlign, type PhysicalMemory } from './physical-memory.ts';
import { type MappableFile, PAGE_BYTES, PIN_FAULT } from './user-memory.ts';

/** A file in memory, such as memfd_create makes. Travels to other threads as its frames. */
export class MemoryFile implements MappableFile {
  readonly size: bigint;
  readonly frames: readonly number[];
  readonly #ram: PhysicalMemory;

  constructor(ram: PhysicalMemory, frames: readonly number[]) {
    this.#ram = ram;
    this.frames = frames;
    this.size = BigInt(frames.length * PAGE_BYTES);
  }

  /** Makes a file of fresh zeroed pages, which it refers to until {@link close}. @throws IommuError ENOMEM */
  static create(ram: PhysicalMemory, bytes: number, options: { readonly huge?: boolean } = {}): MemoryFile {
    const count = Math.ceil(bytes / PAGE_BYTES);
    const run = options.huge === true ? ram.alloc(count, hugeAlign(count)) : 0;
    const frames: number[] = [];
    for (let i = 0; i < count; i++) {
      const frame = run === 0 ? ram.alloc(1) : run + i;
      if (frame === 0) {
        for (const taken of frames) ram.put(taken);
        throw new IommuError('ENOMEM', 'MemoryFile.create', 'bytes', bytes, 'no frames are left');
      }
      frames.push(frame);
    }
    return new MemoryFile(ram, frames);
  }

  close(): void {
    for (const frame of this.frames) this.#ram.put(frame);
  }

  pin(offset: bigint, _writable: boolean): number {
    const frame = this.frames[Number(offset / BigInt(PAGE_BYTES))];
    if (frame === undefined) return PIN_FAULT;
    this.#ram.pin(frame);
    return frame * PAGE_BYTES;
  }

  unpin(physical: number): void {
    this.#ram.unpin(Math.floor(physical / PAGE_BYTES));
  }
}
