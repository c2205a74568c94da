// The kernel's end of the fault file: which domains' groups go there, and what is taken back as one goes.
import { autoRespond, type Machine, routeDomain, unrouteDomain } from '@faultline/iommufd';
import { FAULT_QUEUE } from './machine.ts';

export interface UserSpaceFaults {
  /** A fresh domain's groups go to user space. Before it is attached. */
  route(domain: number): void;
  /** What a device still waits for is answered Invalid, its readers' answers are refused from here on. No report for it is under way. */
  endDevice(device: number): void;
  /** The same for what was reported under a domain, once no report finds it any more. */
  endDomain(domain: number): void;
}

/** Where user space handles nothing. */
export const noUserSpace: UserSpaceFaults = { route() {}, endDevice() {}, endDomain() {} };

/** @param devices that may be asked for by their number. */
export function faultsOf(machine: Machine, devices: readonly number[]): UserSpaceFaults {
  const { system, routes } = machine;
  const base = machine.faultQueueAt(machine.takeFaultQueue('faultsOf'));
  if (base !== machine.faultQueueAt(FAULT_QUEUE)) throw new Error(`the run's fault queue is ${FAULT_QUEUE}`);
  for (const device of devices) machine.setDeviceId(device, device);
  const take = (device: number, domain: number): void => {
    machine.answering(() => autoRespond(machine, base, { device, domain }));
  };
  return {
    route: (domain) => routeDomain(system, routes, domain, FAULT_QUEUE),
    endDevice: (device) => take(device, 0),
    endDomain(domain) {
      take(0, domain);
      unrouteDomain(system, routes, domain);
    },
  };
}
