import { IommuError } from '@faultline/core/errors';
import type { PriDriver } from '@faultline/core/iopf';
import { BLOCKED } from './domains.ts';
import type { SmmuDriver } from './driver.ts';
import type { SmmuMaster } from './smmu-master.ts';
import type { SmmuOps } from './smmu-ops.ts';

/** What the driver does with PRI at the function itself. PriCapability of ../pcie has it. */
export interface PriControl {
  enable(wanted: number): number;
  disable(): void;
  reset(): void;
  isStopped(): boolean;
}

/** Page requests that the functions of an SMMU may have outstanding, all together: as many as the PRI queue takes, less what is kept for stop
 * markers, which are not credited. So functions that keep to their credits never make it overflow.
 * @see IHI 0070, chapter 8 */
export class PriCredits {
  #left: number;

  /** @param entries of the PRI queue; @param forMarkers entries kept for stop markers, default none. */
  constructor(entries: number, forMarkers: number = 0) {
    this.#left = entries - forMarkers;
  }

  get left(): number {
    return this.#left;
  }

  /** @returns credits taken: at most `wanted`, or what is left. @throws IommuError ENOSPC when nothing is. */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.#left);
    if (taken <= 0)
      throw new IommuError('ENOSPC', 'PriCredits.take', 'wanted', wanted, 'the PRI queue has no room left');
    this.#left -= taken;
    return taken;
  }

  give(credits: number): void {
    this.#left += credits;
  }
}

export interface SmmuPriParts {
  readonly driver: SmmuDriver;
  readonly master: SmmuMaster;
  /** The function's StreamID, which is its requester id. */
  readonly streamId: number;
  readonly ops: SmmuOps;
  readonly pri: PriControl;
  readonly credits: PriCredits;
  /** How long to wait for answers to arrive at the function. Default 1 s. */
  readonly stopTimeoutMs?: number;
}

/** Lets a function issue page requests: it has ATS already, as PRI rests on it. @returns its credits.
 * @throws IommuError EINVAL without ATS; ENOSPC; and what the function refuses, with the credits given back. */
export function enablePri(parts: Pick<SmmuPriParts, 'master' | 'pri' | 'credits'>, wanted: number): number {
  if (!parts.master.atsEnabled) throw new IommuError('EINVAL', 'enablePri', 'atsEnabled', false, 'ATS must be on');
  const taken = parts.credits.take(wanted);
  let granted = 0;
  try {
    granted = parts.pri.enable(taken);
  } finally {
    parts.credits.give(taken - granted);
  }
  return granted;
}

/** PRI-off of a function, in the steps that the core orders. ATS stays on until the function has its answers: the fence rests on it, and
 * so does PRI. CMD_SYNC says nothing about answers: only the function does, by having stopped. One that does not stop is reset.
 * @param granted what {@link enablePri} returned.
 * @see hardware reference, 5 */
export function smmuPriDriver(parts: SmmuPriParts, granted: number): PriDriver {
  const { driver, master, streamId, ops, pri, credits, stopTimeoutMs = 1000 } = parts;
  return {
    blockDevice: async () => pri.disable(),
    fenceEventQueue: async () => {
      await driver.fencePriQueue(streamId);
      await driver.fenceEventQueue();
    },
    fenceResponses: async () => {
      ops.flushResponses();
      await driver.fenceCommands();
      for (const deadline = performance.now() + stopTimeoutMs; !pri.isStopped() && performance.now() < deadline; )
        await new Promise((resolve) => setImmediate(resolve));
    },
    disablePri: async () => {
      if (!pri.isStopped()) pri.reset();
      credits.give(granted);
      await master.attach(BLOCKED);
    },
  };
}
