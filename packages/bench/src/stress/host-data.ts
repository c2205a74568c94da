import { hostDoorbellBase } from '@faultline/core/actor';
import type { Generation } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { Doorbell } from '@faultline/core/sync';
import type { TracePlace } from '../perfetto/place.ts';
import type { HandlerName, IommuName } from '../scenario/parameters.ts';
import type { QueuePlace } from './family/family.ts';
import type { StampPlace } from './stages/stamps.ts';
import type { LedgerPlace } from './translation-ledger.ts';

/** What the two hosts of a cell are told. */
export interface HostData {
  readonly iommu: IommuName;
  readonly generation: Generation;
  /** Bases of the fault ports of the cell's threads, and of the device that misbehaves. */
  readonly ports: number[];
  /** The clock's zero, on the machine's monotonic clock. */
  readonly epochNs: bigint;
  /** All devices, from 1 to this. */
  readonly devices: number;
  /** Number of the one that misbehaves, 0: none. */
  readonly hostile: number;
  /** Whether the core's books do not say enough. */
  readonly tallied: boolean;
  /** Set where endpoints keep translations. */
  readonly ledger: LedgerPlace | undefined;
  /** Set where the stages of faults are measured. */
  readonly stamps: StampPlace | undefined;
  /** The hardware's queues. */
  readonly queues: readonly QueuePlace[];
  /** Number of the threads that issue commands. */
  readonly issuers: number;
  readonly lightFlush: boolean;
  /** Jobs that are granted a place at once by a path that admits them, 0: all. */
  readonly places: number;
  readonly handler: HandlerName;
  /** What is reported is recorded. */
  readonly recordsRequests: boolean;
  /** PASIDs are attached as they turn up. */
  readonly takesAttachOrders: boolean;
  /** Where threads record what they do, undefined: they do not. */
  readonly traces: TracePlace | undefined;
}

/** The doorbell of a host. */
export function ringOf(arena: Arena, host: number): Doorbell {
  return new Doorbell(arena.words, hostDoorbellBase(arena, host));
}
