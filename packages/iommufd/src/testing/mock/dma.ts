// A mock device's accesses to memory, as its hardware would make them, on the calling thread.
import { HANDLE_DOMAIN, HANDLE_WORDS } from '@faultline/core/iopf';
import type { PhysicalMemory } from '../../caller/index.ts';
import type { Machine } from '../../machine/index.ts';
import { MOCK_PAGE_BYTES } from './constants.ts';
import type { MockDriver } from './driver.ts';

export interface MockDmaParts {
  readonly machine: Machine;
  readonly driver: MockDriver;
  readonly ram: PhysicalMemory;
}

/** One device, or one of its PASIDs, by the domain that it is attached to at the time. */
export class MockDma {
  readonly #parts: MockDmaParts;
  readonly #device: number;
  readonly #pasid: number;

  constructor(parts: MockDmaParts, device: number, pasid: number = 0) {
    this.#parts = parts;
    this.#device = device;
    this.#pasid = pasid;
  }

  /** Writes, dirtying what is tracked. @returns false: it faulted; what lies before is written. Nothing is reported. */
  write(iova: bigint, from: Uint8Array): boolean {
    const { bytes } = this.#parts.ram;
    return this.#each(iova, from.length, true, (physical, at, end) => bytes.set(from.subarray(at, end), physical));
  }

  /** As {@link write}. */
  read(iova: bigint, into: Uint8Array): boolean {
    const { bytes } = this.#parts.ram;
    return this.#each(iova, into.length, false, (physical, at, end) =>
      into.set(bytes.subarray(physical, physical + end - at), at),
    );
  }

  #each(
    iova: bigint,
    length: number,
    write: boolean,
    access: (physical: number, at: number, end: number) => void,
  ): boolean {
    const { machine, driver } = this.#parts;
    // Online: a detach waits for the access.
    return machine.answering(() => {
      const domain = this.#domain();
      if (domain === 0) return false;
      const tracking = driver.isTracking(domain);
      for (let at = 0; at < length; ) {
        const start = iova + BigInt(at);
        const end = Math.min(length, at + MOCK_PAGE_BYTES - (Number(start) % MOCK_PAGE_BYTES));
        const from = at;
        if (!driver.mapped.reach(domain, start, write, tracking, (physical) => access(physical, from, end)))
          return false;
        at = end;
      }
      return true;
    });
  }

  #domain(): number {
    const { system, words } = this.#parts.machine;
    const handle = system.attachArray(this.#device).load(this.#pasid);
    return handle === 0 ? 0 : words[system.handles.objects + handle * HANDLE_WORDS + HANDLE_DOMAIN];
  }
}
