import type { Packet } from '../path/packet.ts';
import type { ProcessThread } from './process-thread.ts';

/** Where a round's answers go. */
export interface Devices {
  /** A packet's faults go on. */
  resume(packet: Packet): void;
}

/** Where records go. */
export interface Records {
  /** Entries that are free. */
  room(): number;
  push(packet: Packet): void;
}

/** The IOMMU: takes stalled accesses in turn, records them while there is room, resumes and invalidates. */
export interface Hardware {
  /** A thread's packet stalls. */
  post(packet: Packet): void;
  /** There may be room in the event queue. */
  roomMade(): void;
  /** A resume command was written. */
  answer(packet: Packet): void;
  /** Written commands can be seen. @returns whether that took waking somebody. */
  publish(): boolean;
  /** Invalidates for a thread. @returns nanoseconds that it looks on; or it sleeps until its `syncs` are 0 again. */
  invalidate(thread: ProcessThread): number;
  /** Time that invalidations had the command queue. */
  readonly invalidatingNs: number;
}
