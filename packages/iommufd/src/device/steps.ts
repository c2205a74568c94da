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
function ioasOf(context: Context, hwpt: number): number {
  return context.words[context.objects.at(hwpt) + HWPT_IOAS];
}
function faultsOf(context: Context, hwpt: number): number {
  return context.words[context.objects.at(hwpt) + HWPT_FAULT];
}

/** Attaches: reserved ranges, faults on, the core's handle, the hardware. Whatever refuses, what came before it is taken back.
 * The handle comes before the hardware: a fault that the new domain brings finds it. Each device of a group is attached by itself:
 * that they are on one HWPT, and move together, is the group's rule. */
export function attachReally(context: Context, call: string, device: number, pasid: number, hwpt: number): void {
  const { machine } = context;
  const number = deviceNumber(context, device);
  const domain = domainOf(context, hwpt);
  const ioas = ioasOf(context, hwpt);
  const undo: (() => void)[] = [];
  try {
    if (pasid === 0) {
      reserveRanges(context, ioas, device, machine.driver.reservedRanges(number));
      undo.push(() => unreserveRanges(context, ioas, device));
    }
    prepareHandle(context, call, number, hwpt);
    attachDomain(machine.system, number, pasid, domain);
    undo.push(() => {
      detachDomain(machine.system, number, pasid);
      endFaults(context, number, pasid, hwpt);
    });
    machine.driver.attach(number, pasid, domain, 0);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** Replaces, up to where it can fail: {@link endReplace} or {@link takeReplaceBack} follows. On failure the old one stays as it was. */
export function replaceReally(
  context: Context,
  call: string,
  device: number,
  pasid: number,
  hwpt: number,
  old: number,
): void {
  const { machine } = context;
  const number = deviceNumber(context, device);
  const moves = pasid === 0 && ioasOf(context, hwpt) !== ioasOf(context, old);
  const undo: (() => void)[] = [];
  try {
    if (moves) {
      reserveRanges(context, ioasOf(context, hwpt), device, machine.driver.reservedRanges(number));
      undo.push(() => unreserveRanges(context, ioasOf(context, hwpt), device));
    }
    prepareHandle(context, call, number, hwpt);
    replaceDomain(machine.system, number, pasid, domainOf(context, hwpt));
    undo.push(() => restoreHandle(context, number, pasid, hwpt, old));
    machine.driver.attach(number, pasid, domainOf(context, hwpt), domainOf(context, old));
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** The end of a replacement: nothing of the old HWPT is left. Cannot fail. */
export function endReplace(context: Context, device: number, pasid: number, hwpt: number, old: number): void {
  endFaults(context, deviceNumber(context, device), pasid, old);
  const oldIoas = ioasOf(context, old);
  if (pasid === 0 && ioasOf(context, hwpt) !== oldIoas) unreserveRanges(context, oldIoas, device);
}

/** Undoes {@link replaceReally}, as another device of the group cannot follow. What was attached can be attached again. */
export function takeReplaceBack(context: Context, device: number, pasid: number, hwpt: number, old: number): void {
  const number = deviceNumber(context, device);
  context.machine.driver.attach(number, pasid, domainOf(context, old), domainOf(context, hwpt));
  restoreHandle(context, number, pasid, hwpt, old);
  const ioas = ioasOf(context, hwpt);
  if (pasid === 0 && ioas !== ioasOf(context, old)) unreserveRanges(context, ioas, device);
}

/** Detaches: the hardware first, then the handle, then what faulted before. Cannot fail. */
export function detachReally(context: Context, device: number, pasid: number, hwpt: number): void {
  const { machine } = context;
  const number = deviceNumber(context, device);
  machine.driver.detach(number, pasid, domainOf(context, hwpt));
  detachDomain(machine.system, number, pasid);
  endFaults(context, number, pasid, hwpt);
  if (pasid === 0) unreserveRanges(context, ioasOf(context, hwpt), device);
}

/** What a handle of a domain needs. With a fault queue the device may fault from here on, until it is unbound: what it faults without a
 * domain that can is refused by the report. @throws IommuError ENOMEM */
function prepareHandle({ machine, objects, words }: Context, call: string, number: number, hwpt: number): void {
  if (machine.fail.fails('attach handle')) throw new IommuError('ENOMEM', call, 'attach handle', 0, 'made to fail');
  if (words[objects.at(hwpt) + HWPT_FAULT] === 0) return;
  if (machine.fail.fails('fault param')) throw new IommuError('ENOMEM', call, 'fault param', 0, 'made to fail');
  machine.answering(() => machine.path.addDevice(number));
}

/** Has the old domain's handle in place again, and ends what the new one brought meanwhile. The old handle's own slot is free after a
 * grace period at the latest. */
function restoreHandle(context: Context, number: number, pasid: number, hwpt: number, old: number): void {
  const { machine } = context;
  try {
    replaceDomain(machine.system, number, pasid, domainOf(context, old));
  } catch (error) {
    if (!(error instanceof IommuError && error.code === 'ENOMEM')) throw error;
    machine.synchronize();
    replaceDomain(machine.system, number, pasid, domainOf(context, old));
  }
  endFaults(context, number, pasid, hwpt);
}

/** Answers what the device still waits for under a domain that it no longer has at that PASID: no report finds it there any more after the
 * grace period, so what is queued or read by then is all there is. Where another PASID has the same domain, its faults go on. */
function endFaults(context: Context, number: number, pasid: number, hwpt: number): void {
  const { machine, words, objects } = context;
  machine.synchronize();
  const fault = faultsOf(context, hwpt);
  if (fault === 0) return;
  const queueAt = machine.faultQueueAt(words[objects.at(fault) + FAULT_QUEUE]);
  const whose = { device: number, domain: domainOf(context, hwpt), pasid };
  machine.answering(() => autoRespond(machine, queueAt, whose));
}
