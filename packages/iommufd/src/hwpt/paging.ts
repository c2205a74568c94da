// HWPT_PAGING: page tables that an IOAS fills.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Context } from '../context/context.ts';
import type { DriverData } from '../driver/index.ts';
import { hwptList, linkDomain, smallestPage, unlinkDomain } from '../ioas/index.ts';
import {
  DEVICE_NUMBER,
  HWPT_AUTO,
  HWPT_DOMAIN,
  HWPT_FLAGS,
  HWPT_IOAS,
  HWPT_IOMMU,
  HWPT_NEXT,
  HWPT_PAGE_LG2,
} from '../objects/index.ts';
import {
  HW_CAP_DIRTY_TRACKING,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
  OBJ_HWPT_PAGING,
} from '../uapi/index.ts';
import { connectFaultQueue, disconnectFaultQueue, giveDomain, takeDomain } from './domains.ts';

const KNOWN_FLAGS = HWPT_ALLOC_NEST_PARENT | HWPT_ALLOC_DIRTY_TRACKING | HWPT_FAULT_ID_VALID | HWPT_ALLOC_PASID;

export interface PagingSpec {
  readonly call: string;
  /** Object; the caller holds it. */
  readonly ioas: number;
  /** Object of the device whose IOMMU it is for; the caller holds it. */
  readonly device: number;
  readonly flags: number;
  readonly data?: DriverData;
  /** As given by the user; looked at with HWPT_FAULT_ID_VALID. */
  readonly faultId?: number;
  /** Made by attaching: goes with its last device. The caller has the IOAS's list locked. */
  readonly auto?: boolean;
}

/** Makes page tables and has the IOAS fill them. @returns the object, reserved still: its caller finalizes or {@link abortPagingHwpt}s it.
 * @throws IommuError EOPNOTSUPP flags; ENOMEM; EINVAL what is mapped does not fit; ENOENT fault_id. Nothing is left of it then. */
export function makePagingHwpt(context: Context, spec: PagingSpec): number {
  const { call, ioas, device, flags, data, faultId = 0, auto = false } = spec;
  const { machine, objects, words } = context;
  const number = words[objects.at(device) + DEVICE_NUMBER];
  const traits = machine.driver.traits(number);
  if ((flags & ~KNOWN_FLAGS) !== 0)
    throw new IommuError('EOPNOTSUPP', call, 'flags', flags, 'has bits that are not known');
  if ((flags & HWPT_ALLOC_DIRTY_TRACKING) !== 0 && (traits.capabilities & HW_CAP_DIRTY_TRACKING) === 0)
    throw new IommuError('EOPNOTSUPP', call, 'flags', flags, 'the device cannot track dirty pages');
  if ((flags & HWPT_FAULT_ID_VALID) !== 0 && (flags & HWPT_ALLOC_NEST_PARENT) !== 0)
    throw new IommuError('EOPNOTSUPP', call, 'flags', flags, 'a nesting parent has no faults of its own');

  const undo: (() => void)[] = [];
  try {
    const hwpt = objects.reserve(call, OBJ_HWPT_PAGING);
    undo.push(() => objects.abort(hwpt));
    const domain = takeDomain(context, call, (flags & HWPT_FAULT_ID_VALID) !== 0);
    undo.push(() => giveDomain(context, domain));
    const geometry = machine.driver.allocPaging(domain, number, flags, data);
    undo.push(() => machine.driver.freeDomain(domain));
    const at = objects.at(hwpt);
    words[at + HWPT_DOMAIN] = domain;
    words[at + HWPT_FLAGS] = flags;
    words[at + HWPT_IOAS] = ioas;
    words[at + HWPT_AUTO] = auto ? 1 : 0;
    words[at + HWPT_IOMMU] = traits.iommu;
    words[at + HWPT_PAGE_LG2] = Math.log2(smallestPage(geometry.pageSizes));
    linkDomain(context, call, ioas, domain, geometry);
    undo.push(() => unlinkDomain(context, ioas, domain));
    if ((flags & HWPT_FAULT_ID_VALID) !== 0) connectFaultQueue(context, call, hwpt, faultId);
    objects.hold(ioas);
    if (auto) append(context, hwpt);
    else withHwptList(context, ioas, () => append(context, hwpt));
    return hwpt;
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** Takes back what was made and never published. Context: as it was made. */
export function abortPagingHwpt(context: Context, hwpt: number): void {
  const at = context.objects.at(hwpt);
  if (context.words[at + HWPT_AUTO] === 1) remove(context, hwpt);
  else withHwptList(context, context.words[at + HWPT_IOAS], () => remove(context, hwpt));
  unmake(context, at, hwpt);
  context.objects.abort(hwpt);
}

/** Destroyer: nobody can reach it, nothing is attached to it. */
export function endPagingHwpt(context: Context, at: number, hwpt: number): void {
  withHwptList(context, context.words[at + HWPT_IOAS], () => remove(context, hwpt));
  unmake(context, at, hwpt);
}

function unmake(context: Context, at: number, hwpt: number): void {
  const { machine, objects, words } = context;
  const ioas = words[at + HWPT_IOAS];
  const domain = words[at + HWPT_DOMAIN];
  unlinkDomain(context, ioas, domain);
  disconnectFaultQueue(context, hwpt);
  machine.driver.freeDomain(domain);
  giveDomain(context, domain);
  objects.release(ioas);
}

/** Gives up an attachment's share. An automatic HWPT goes with its last one. */
export function letGoHwpt(context: Context, hwpt: number): void {
  const { objects, words } = context;
  if (words[objects.at(hwpt) + HWPT_AUTO] === 1) objects.releaseOrRemove('detach', hwpt);
  else objects.release(hwpt);
}

/** Runs `body` with the list of an IOAS's HWPTs locked. */
export function withHwptList<T>(context: Context, ioas: number, body: () => T): T {
  const { lockAt } = hwptList(context, ioas);
  mutexLock(context.words, lockAt, context.machine.self);
  try {
    return body();
  } finally {
    mutexUnlock(context.words, lockAt, context.machine.self);
  }
}

/** The IOAS's HWPTs, oldest first. Context: the list's lock. */
export function hwptsOf(context: Context, ioas: number): number[] {
  const found: number[] = [];
  const { headAt } = hwptList(context, ioas);
  for (let hwpt = context.words[headAt]; hwpt !== 0; hwpt = context.words[context.objects.at(hwpt) + HWPT_NEXT])
    found.push(hwpt);
  return found;
}

/** Newest last: automatic ones are tried in the order in which they were made. */
function append(context: Context, hwpt: number): void {
  const { objects, words } = context;
  let at = hwptList(context, words[objects.at(hwpt) + HWPT_IOAS]).headAt;
  while (words[at] !== 0) at = objects.at(words[at]) + HWPT_NEXT;
  words[at] = hwpt;
}

function remove(context: Context, hwpt: number): void {
  const { objects, words } = context;
  let at = hwptList(context, words[objects.at(hwpt) + HWPT_IOAS]).headAt;
  while (words[at] !== 0 && words[at] !== hwpt) at = objects.at(words[at]) + HWPT_NEXT;
  if (words[at] === hwpt) words[at] = words[objects.at(hwpt) + HWPT_NEXT];
}
