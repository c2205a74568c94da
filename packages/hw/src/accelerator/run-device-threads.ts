import { IommuError } from '@faultline/core/errors';
import type { Doorbell } from '@faultline/core/sync';
import { type DeviceThread, STEP_BUSY, STEP_FINISHED, STEP_IN_LINE } from './device-thread.ts';

/** What must go on beside the threads. */
export interface Served {
  pump(): number;
  hasWork(): boolean;
}
const NOTHING_SERVED: Served = { pump: () => 0, hasWork: () => false };

/** Runs the device threads of one worker: steps them in turn, sleeps when all of them wait for the hardware.
 * Never spins. Returns when all have finished: stopped, or out of budget. Every stall has been answered then.
 * Context: blocks; a plain worker, not a pool's.
 * @param wake the doorbell that the hardware rings for every one of these threads' ports, and their admission where they have one.
 * @param taskWork called whenever the worker is awake and between steps: what its process has it do on the side.
 * @param served what the threads' ports serve besides, while a thread that has finished or is in line does not do it: the IOMMU may keep back the
 * others' answers until its port has completed an invalidation. */
export function runDeviceThreads(
  threads: readonly DeviceThread[],
  wake: Doorbell,
  taskWork?: () => void,
  served: Served = NOTHING_SERVED,
): void {
  if (threads.length === 0)
    throw new IommuError('EINVAL', 'runDeviceThreads', 'threads', threads.length, 'must hold at least one');
  let resting = 0;
  const canGoOn = (): boolean => {
    for (const thread of threads) if (thread.canGoOn()) return true;
    return resting > 0 && served.hasWork();
  };
  for (;;) {
    let busy = 0;
    let finished = 0;
    resting = 0;
    for (const thread of threads) {
      const found = thread.step();
      if (found === STEP_BUSY) busy++;
      else if (found === STEP_FINISHED) finished++;
      else if (found === STEP_IN_LINE) resting++;
    }
    if (finished === threads.length) return;
    resting += finished;
    if (resting > 0) served.pump();
    if (taskWork !== undefined) taskWork();
    if (busy === 0) wake.sleep(canGoOn, Infinity);
  }
}
