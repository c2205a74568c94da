import type { BookKeeper } from '../books.ts';
import type { AddressSpace } from '../mm.ts';
import type { FaultReporter } from '../ops.ts';
import type { ResponseCode } from '../record.ts';

/** The fault paths that run side by side. */
export const GENERATIONS = ['locked', 'v7', 'mainline', 'lockless', 'adaptive'] as const;
export type Generation = (typeof GENERATIONS)[number];

/** Where a report hands a complete group: the domain's handler. One instance a reporting thread. */
export interface GroupSink {
  /** Takes the group over. Takes no lock, never waits. @returns false when there is no room: the report then answers Failure. */
  queue(group: number, domain: number): boolean;
  /** Publishes what was queued, and wakes who handles it. */
  publish(): void;
}

/** A generation of the fault path, as one thread uses it. All of one system must use the same generation. */
export interface FaultPath extends FaultReporter {
  readonly generation: Generation;
  /** Whether domains count what is pending on them, and a group that a worker holds can be made void. Without, whoever takes a device or
   * a domain away has the workers finish first. */
  readonly countsPending: boolean;
  /** Whether pages that the SVA handler makes present are leased to the device that asked ({@link AddressSpace.handleMmFault}). */
  readonly leasesPages: boolean;
  /** Whether devices are granted places for jobs, and wait before they begin one when all are taken. Granted by whoever opens the path for
   * the devices' faults; how many is its business. */
  readonly admitsJobs: boolean;
  /** What this thread did: published by {@link close}. */
  readonly books: BookKeeper;

  /** @returns the domain that handles the group, 0 when there is none (any more). */
  groupDomain(group: number): number;
  /** Answers a group, once: the holder's duty. @returns false when it had been answered for it (void): a no-op. */
  respondGroup(group: number, code: ResponseCode): boolean;
  /** Frees a group that was answered or is void. Its holder calls this once; nobody can find the group afterwards.
   * Its domain may count it as pending until the holder's next {@link endBatch}. */
  freeGroup(group: number): void;

  /** Gives the device a fault_param. @returns false when it has one already. @throws IommuError ENOMEM */
  addDevice(device: number): boolean;
  /** Takes the device's fault_param away. The driver has fenced its event queue: no report for the device runs or can start.
   * @returns 'busy' when the generation refuses because groups are unanswered: flush the work queue and try again;
   * 'held' when references are left: answered, but a holder has not let go yet (await {@link isReleased}). */
  removeDevice(device: number): 'removed' | 'held' | 'busy';
  /** Answers every pending group of the device and marks each void. Same context as {@link removeDevice}.
   * @returns groups answered, or -1 when the generation has no way to do it. */
  respondPending(device: number, code: ResponseCode): number;
  /** Light flush: answers the device's pending groups of one domain. Nothing else may be looking the old domain up any more.
   * @returns groups answered, or -1 when the generation has no way to do it. */
  flushDomain(device: number, domain: number, code: ResponseCode): number;
  /** Drops the device's set-aside requests: after an overflow, their last ones never come. @returns how many. */
  discardPartial(device: number): number;
  /** Frees what this thread removed, as far as nobody refers to it and a grace period has passed; asks for that one. Never blocks.
   * @returns whether each fault_param that it removed is free or waits for its grace period alone (`deferredParams` of the system). */
  releaseOwn(): boolean;
  /** Whether every fault_param that was taken away has been freed. Frees what is due. */
  isReleased(): boolean;
  /** Publishes this thread's books and returns what it keeps for itself. The path is not used afterwards. */
  close(): void;
}
