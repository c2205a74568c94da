// The real steps of an attachment: the driver's, the core's, and the faults of the domain that goes. Context: the group's lock, offline.

import { IommuError } from '@faultline/core/errors';
import { attachDomain, detachDomain, replaceDomain } from '@faultline/core/iopf';
import type { Context } from '../context/context.ts';
import { autoRespond } from '../fault-queue/index.ts';
import { reserveRanges, unreserveRanges } from '../ioas/index.ts';
import { DEVICE_NUMBER, FAULT_QUEUE, HWPT_DOMAIN, HWPT_FAULT, HWPT_IOAS } from '../objects/index.ts';

function deviceNumber(context: Context, device: number): number {
  return context.words[context.objects.at(device) + DEVICE_NUMBER];
}
function domainOf(context: Context, hwpt: number): number {
  return context.words[context.objects.at(hwpt) + HWPT_DOMAIN];
}
function faultsOf(context: Context, hwpt: number): number {
  return context.words[context.objects.at(hwpt) + HWPT_FAULT];
}

/** Attaches: reserved ranges, faults on, the core's handle, the hardware. Whatever refuses, what came before it is taken back.
 * The handle comes before the hardware: a fault that the new domain brings finds it. */
export function attachReally(context: Context, call: string, device: number, pasid: number, hwpt: number): void {
  const { machine, words, objects } = context;
  const number = deviceNumber(context, device);
  const domain = domainOf(context, hwpt);
  const ioas = words[objects.at(hwpt) + HWPT_IOAS];
  const undo: (() => void)[] = [];
  try {
    if (pasid === 0) {
      reserveRanges(context, ioas, device, machine.driver.reservedRanges(number));
      undo.push(() => unreserveRanges(context, ioas, device));
    }
    if (machine.fail.fails('attach handle')) throw new IommuError('ENOMEM', call, 'attach handle', 0, 'made to fail');
    attachDomain(machine.system, number, pasid, domain);
    undo.push(() => detachDomain(machine.system, number, pasid));
    if (faultsOf(context, hwpt) !== 0) enableFaults(context, number);
    machine.driver.attach(number, pasid, domain, 0);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** Replaces: on failure the old one stays as it was. */
export function replaceReally(
  context: Context,
  call: string,
  device: number,
  pasid: number,
  hwpt: number,
  old: number,
): void {
  const { machine, words, objects } = context;
  const number = deviceNumber(context, device);
  const ioas = words[objects.at(hwpt) + HWPT_IOAS];
  const oldIoas = words[objects.at(old) + HWPT_IOAS];
  const undo: (() => void)[] = [];
  try {
    if (pasid === 0 && ioas !== oldIoas) {
      reserveRanges(context, ioas, device, machine.driver.reservedRanges(number));
      undo.push(() => unreserveRanges(context, ioas, device));
    }
    if (machine.fail.fails('attach handle')) throw new IommuError('ENOMEM', call, 'attach handle', 0, 'made to fail');
    if (faultsOf(context, hwpt) !== 0) enableFaults(context, number);
    replaceDomain(machine.system, number, pasid, domainOf(context, hwpt));
    undo.push(() => replaceDomain(machine.system, number, pasid, domainOf(context, old)));
    machine.driver.attach(number, pasid, domainOf(context, hwpt), domainOf(context, old));
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
  endFaults(context, number, old);
  if (pasid === 0 && ioas !== oldIoas) unreserveRanges(context, oldIoas, device);
}

/** Detaches: the hardware first, then the handle, then what faulted before. Cannot fail. */
export function detachReally(context: Context, device: number, pasid: number, hwpt: number): void {
  const { machine, words, objects } = context;
  const number = deviceNumber(context, device);
  machine.driver.detach(number, pasid, domainOf(context, hwpt));
  detachDomain(machine.system, number, pasid);
  endFaults(context, number, hwpt);
  if (pasid === 0) unreserveRanges(context, words[objects.at(hwpt) + HWPT_IOAS], device);
}

/** The device may fault from here on. It stays so: what it faults without a domain that can is refused by the report. */
function enableFaults(context: Context, number: number): void {
  context.machine.answering(() => context.machine.path.addDevice(number));
}

/** Answers what the device still waits for under a domain that it no longer has: no report finds the domain any more after the grace
 * period, so what is queued or read by then is all there is. */
function endFaults(context: Context, number: number, hwpt: number): void {
  const { machine, words, objects } = context;
  machine.synchronize();
  const fault = faultsOf(context, hwpt);
  if (fault === 0) return;
  const queueAt = machine.faultQueueAt(words[objects.at(fault) + FAULT_QUEUE]);
  const whose = { device: number, domain: domainOf(context, hwpt) };
  machine.answering(() => autoRespond(machine, queueAt, whose));
}
