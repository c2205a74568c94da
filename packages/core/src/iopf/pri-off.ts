import { setImmediate as immediate } from 'node:timers/promises';
import { detachDomain, replaceDomain } from './attach.ts';
import { freeDomain } from './domain.ts';
import type { FaultPath } from './generations/index.ts';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from './record.ts';
import type { IopfSystem } from './system.ts';
import { flushWork } from './work-queue.ts';

/** What turning PRI (or stalls) off needs of a driver. Each call is one step of the machine of the device. */
export interface PriDriver {
  /** Has the hardware translate no more for the device's PASIDs: what faults from now on is terminated, not reported. */
  blockDevice(device: number): Promise<void>;
  /** Resolves when everything that the hardware recorded before the call has been reported. */
  fenceEventQueue(): Promise<void>;
  /** Resolves when the hardware has taken every answer that was queued before the call. */
  fenceResponses(): Promise<void>;
  disablePri(device: number): Promise<void>;
}

export interface PriOff {
  readonly system: IopfSystem;
  readonly path: FaultPath;
  readonly driver: PriDriver;
  readonly device: number;
  /** The PASIDs at which the device has a domain attached, 0 for none. */
  readonly pasids: readonly number[];
  /** A domain that cannot fault. */
  readonly blockedDomain: number;
}

/** The steps of a device's `draining`, in its order. Seed 000 asks for them by name: a source is closed before what it filled
 * is emptied. Context: the thread that reports for the device, between two batches. */
export function priOffSteps(parts: PriOff): {
  replaceDomain: () => Promise<void>;
  fenceEventQueue: () => Promise<void>;
  respondPending: () => Promise<void>;
  fenceResponses: () => Promise<void>;
  disablePri: () => Promise<void>;
} {
  const { system, path, driver, device, pasids, blockedDomain } = parts;
  return {
    // No report that starts now finds a handler.
    replaceDomain: async () => {
      for (const pasid of pasids) replaceDomain(system, device, pasid, blockedDomain);
      await driver.blockDevice(device);
    },
    // No report that started earlier is under way, on this thread or another.
    fenceEventQueue: async () => {
      await driver.fenceEventQueue();
      await system.rcu.synchronizeAsync();
    },
    // Where a group that a worker holds cannot be made void, the workers finish first.
    respondPending: async () => {
      if (!path.countsPending) await flushWork(system);
      path.respondPending(device, RESPONSE_INVALID);
      path.endBatch();
    },
    // A worker that answered before the device's groups were void has published its answer by its next quiescent state.
    fenceResponses: async () => {
      await system.rcu.synchronizeAsync();
      await driver.fenceResponses();
    },
    disablePri: async () => {
      while (path.removeDevice(device) === 'busy') await flushWork(system);
      for (const pasid of pasids) detachDomain(system, device, pasid);
      await driver.disablePri(device);
      await released(system, path);
    },
  };
}

/** Resolves when what was taken away has been freed: fault_params and attach handles, each after its grace period. */
async function released(system: IopfSystem, path: FaultPath): Promise<void> {
  for (;;) {
    await system.rcu.synchronizeAsync();
    system.deferredHandles.poll();
    if (path.isReleased() && system.deferredHandles.pending() === 0) return;
    await immediate();
  }
}

export interface DomainLife {
  readonly system: IopfSystem;
  readonly path: FaultPath;
  readonly domain: number;
  /** Answers the old domain's groups at a replace, rather than let their workers do it. */
  readonly lightFlush: boolean;
  /** Who it was attached to: the devices whose groups the light flush answers. */
  readonly devices: readonly number[];
}

/** The steps of a domain: what a replace flushes, and what must hold before it is freed. Same context as {@link priOffSteps}. */
export function domainSteps(parts: DomainLife): {
  lightFlush: () => Promise<void>;
  detachAll: () => Promise<void>;
  drainPending: () => Promise<void>;
} {
  const { system, path, domain, lightFlush, devices } = parts;
  return {
    // The translation has changed; an answer given now makes the device try again and meet the new one.
    lightFlush: async () => {
      await system.rcu.synchronizeAsync();
      system.deferredHandles.poll();
      if (!lightFlush) return;
      for (const device of devices) path.flushDomain(device, domain, RESPONSE_SUCCESS);
      path.endBatch();
    },
    // Whoever attached it has detached it: reports that found it before have ended with the grace period.
    detachAll: async () => system.rcu.synchronizeAsync(),
    // Where nobody counts what is pending, one can only wait until the workers have been through everything.
    drainPending: async () => {
      if (path.countsPending) await system.pending.waitZeroAsync(domain);
      else await flushWork(system);
      freeDomain(system, domain);
    },
  };
}
