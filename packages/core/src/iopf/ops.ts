import type { ResponseCode } from './record.ts';

/** What a driver does for the core. One instance a thread: each thread answers through a command queue of its own. */
export interface IommuOps {
  /** Queues the answer to the request at word offset `recordAt` (layout: record.ts; the group's last request).
   * Never waits for the hardware; the device sees it after {@link flushResponses} at the latest. Takes no lock of the core's. */
  pageResponse(recordAt: number, code: ResponseCode): void;
  /** Publishes what {@link pageResponse} queued, with one store. Cheap when there is nothing. */
  flushResponses(): void;
}

/** What the fault path offers a driver's event pump. One instance a thread. */
export interface FaultReporter {
  /** @returns the word offset at which the driver writes the next record: 32 bytes, this thread's until {@link reportDeviceFault}. */
  prepareFault(): number;
  /** Reports the record at `recordAt`, as returned by {@link prepareFault}.
   * @returns 0, or a negative errno. The device has been answered whenever an answer is due, whatever is returned: never answer again. */
  reportDeviceFault(recordAt: number): number;
  /** Ends a batch: publishes queued work, wakes handlers that sleep, passes a quiescent state. */
  endBatch(): void;
}
