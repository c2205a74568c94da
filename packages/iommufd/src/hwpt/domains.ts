// What hardware page tables and nested ones have in common: a domain of the core's and the driver's, by one number.

import { IommuError } from '@faultline/core/errors';
import { allocDomain, freeDomain, HANDLER_CONSUMER, HANDLER_NONE } from '@faultline/core/iopf';
import type { Context } from '../context/context.ts';
import { routeDomain, unrouteDomain } from '../fault-queue/index.ts';
import { FAULT_QUEUE, HWPT_DOMAIN, HWPT_FAULT } from '../objects/index.ts';
import { OBJ_FAULT } from '../uapi/index.ts';

/** Longest that faults of a domain that is attached nowhere may stay unanswered. */
const DRAIN_TIMEOUT_MS = 10_000;

/** Takes a number of the core's, for a domain that can fault or not. @throws IommuError ENOMEM */
export function takeDomain(context: Context, call: string, faults: boolean): number {
  const { machine } = context;
  if (machine.fail.fails('domain')) throw new IommuError('ENOMEM', call, 'domains', 0, 'made to fail');
  try {
    return allocDomain(machine.system, { handler: faults ? HANDLER_CONSUMER : HANDLER_NONE });
  } catch (error) {
    if (error instanceof IommuError && error.code === 'ENOSPC')
      throw new IommuError('ENOMEM', call, 'domains', machine.system.config.domains, 'every domain is in use');
    throw error;
  }
}

/** Gives a domain back that is attached nowhere. Nobody can hold it: reports that found its handle ended with the grace period, and its
 * groups were answered at detach; one whose reader is at it is waited for. */
export function giveDomain(context: Context, domain: number): void {
  const { machine } = context;
  machine.synchronize();
  if (!machine.system.pending.waitZero(domain, machine.self, DRAIN_TIMEOUT_MS))
    throw new IommuError('EBUSY', 'destroy', 'domain', domain, 'its faults are not let go of');
  freeDomain(machine.system, domain);
}

/** Connects an HWPT that is being made with its fault queue. The last thing that can fail. @param faultId as the caller gave it.
 * @throws IommuError ENOENT */
export function connectFaultQueue(context: Context, call: string, hwpt: number, faultId: number): void {
  const { machine, objects } = context;
  const fault = objects.get(call, 'fault_id', faultId, OBJ_FAULT);
  objects.hold(fault);
  objects.put(fault);
  const at = objects.at(hwpt);
  machine.words[at + HWPT_FAULT] = fault;
  const queue = machine.words[objects.at(fault) + FAULT_QUEUE];
  routeDomain(machine.system, machine.routes, machine.words[at + HWPT_DOMAIN], queue);
}

export function disconnectFaultQueue(context: Context, hwpt: number): void {
  const { machine, objects } = context;
  const at = objects.at(hwpt);
  const fault = machine.words[at + HWPT_FAULT];
  if (fault === 0) return;
  unrouteDomain(machine.system, machine.routes, machine.words[at + HWPT_DOMAIN]);
  objects.release(fault);
}
