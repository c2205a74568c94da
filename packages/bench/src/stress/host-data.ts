import { hostDoorbellBase } from '@faultline/core/actor';
import type { Generation } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { Doorbell } from '@faultline/core/sync';

/** What the two hosts of a cell are told. */
export interface HostData {
  readonly generation: Generation;
  /** Bases of the stall ports of the cell's threads. */
  readonly ports: number[];
  /** The clock's zero, on the machine's monotonic clock. */
  readonly epochNs: bigint;
  readonly devices: number;
  readonly pasid: number;
  readonly substreams: number;
  readonly lightFlush: boolean;
  readonly noop: boolean;
}

/** The doorbell of a host. */
export function ringOf(arena: Arena, host: number): Doorbell {
  return new Doorbell(arena.words, hostDoorbellBase(arena, host));
}
