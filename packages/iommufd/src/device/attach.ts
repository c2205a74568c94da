// Attach, replace and detach of a device's PASID (0: no PASID), under its group's lock.
// @see Linux drivers/iommu/iommufd/device.c iommufd_device_attach(), _replace(), _detach()
import { IommuError } from '@faultline/core/errors';
import type { Context } from '../context/context.ts';
import { abortPagingHwpt, hwptsOf, letGoHwpt, makePagingHwpt, withHwptList } from '../hwpt/index.ts';
import { DEVICE_GOING, HWPT_AUTO } from '../objects/index.ts';
import { OBJ_DEVICE, OBJ_HWPT_NESTED, OBJ_HWPT_PAGING, OBJ_IOAS } from '../uapi/index.ts';
import {
  addMember,
  findAttachment,
  findMember,
  freeMember,
  groupOf,
  membersOf,
  removeMember,
  reserveMember,
} from './attachments.ts';
import { withGroup } from './bind.ts';
import { ATTACH_HWPT } from './layout.ts';
import { checkHwpt, checkPasid } from './rules.ts';
import { attachReally, detachReally, endReplace, replaceReally, takeReplaceBack } from './steps.ts';

export interface AttachTarget {
  /** Id of an IOAS or an HWPT. */
  readonly ptId: number;
  /** 0 or left out: no PASID. */
  readonly pasid?: number;
}

/** One step for a found HWPT, inside the group's lock. Takes a user of the HWPT if it succeeds. */
type Step = (hwpt: number) => void;

/** Attaches a device. @param id of the device. @returns the id of the HWPT in use, also for an IOAS.
 * @throws IommuError ENOENT id, pt_id; EINVAL pt_id of another type, another of the group is on another HWPT, PASID rules; EBUSY it is attached;
 * EOPNOTSUPP no PASIDs; EADDRINUSE reserved ranges are mapped; ENOMEM. Nothing has changed then. */
export function attachDevice(context: Context, id: number, target: AttachTarget): number {
  return change(context, 'attach', id, target, attach);
}

/** Replaces what a device has attached. The same HWPT again is a success and nothing. @throws IommuError as {@link attachDevice};
 * EINVAL it is not attached. The old one stays then. */
export function replaceDevice(context: Context, id: number, target: AttachTarget): number {
  return change(context, 'replace', id, target, replace);
}

function change(
  context: Context,
  call: string,
  id: number,
  { ptId, pasid = 0 }: AttachTarget,
  step: (context: Context, call: string, groupAt: number, device: number, pasid: number, hwpt: number) => void,
): number {
  const { machine, objects } = context;
  return machine.blocking(() => {
    const device = objects.get(call, 'dev_id', id, OBJ_DEVICE);
    try {
      return withTarget(context, call, ptId, (target) =>
        withGroup(context, groupOf(context, device), (groupAt) => {
          const run: Step = (hwpt) => step(context, call, groupAt, device, pasid, hwpt);
          const hwpt = objects.typeOf(target) === OBJ_IOAS ? runAuto(context, call, target, device, run) : target;
          if (hwpt === target) run(hwpt);
          return objects.idOf(hwpt);
        }),
      );
    } finally {
      objects.put(device);
    }
  });
}

function withTarget<T>(context: Context, call: string, ptId: number, body: (target: number) => T): T {
  const { objects } = context;
  const target = objects.get(call, 'pt_id', ptId);
  try {
    const type = objects.typeOf(target);
    if (type !== OBJ_IOAS && type !== OBJ_HWPT_PAGING && type !== OBJ_HWPT_NESTED)
      throw new IommuError('EINVAL', call, 'pt_id', ptId, 'names neither an IOAS nor an HWPT');
    return body(target);
  } finally {
    objects.put(target);
  }
}

/** Tries the IOAS's automatic HWPTs; where all of them refuse by EINVAL, makes one. @returns the HWPT that it was. */
function runAuto(context: Context, call: string, ioas: number, device: number, run: Step): number {
  const { objects, words } = context;
  const tried: number[] = [];
  try {
    return withHwptList(context, ioas, () => {
      for (const hwpt of hwptsOf(context, ioas)) {
        if (words[objects.at(hwpt) + HWPT_AUTO] === 0 || !objects.tryHold(hwpt)) continue;
        tried.push(hwpt);
        if (accepts(run, hwpt)) return hwpt;
      }
      return makeAuto(context, call, ioas, device, run);
    });
  } finally {
    // Without the list's lock: its last device may have left meanwhile, and then it ends here.
    for (const hwpt of tried) objects.releaseOrRemove(call, hwpt);
  }
}

/** @returns false for EINVAL: the next one may do. */
function accepts(run: Step, hwpt: number): boolean {
  try {
    run(hwpt);
    return true;
  } catch (error) {
    if (error instanceof IommuError && error.code === 'EINVAL') return false;
    throw error;
  }
}

/** Context: the list's lock. */
function makeAuto(context: Context, call: string, ioas: number, device: number, run: Step): number {
  const hwpt = makePagingHwpt(context, { call, ioas, device, flags: 0, auto: true });
  try {
    run(hwpt);
  } catch (error) {
    abortPagingHwpt(context, hwpt);
    throw error;
  }
  context.objects.finalize(hwpt);
  return hwpt;
}

function attach(context: Context, call: string, groupAt: number, device: number, pasid: number, hwpt: number): void {
  const { objects, words } = context;
  const attachmentAt = findAttachment(context, groupAt, pasid);
  if (attachmentAt !== 0) {
    if (findMember(context, attachmentAt, device) !== 0)
      throw new IommuError('EBUSY', call, 'dev_id', objects.idOf(device), 'is attached');
    if (words[attachmentAt + ATTACH_HWPT] !== hwpt)
      throw new IommuError(
        'EINVAL',
        call,
        'pt_id',
        objects.idOf(hwpt),
        'another device of the group is on another HWPT',
      );
  }
  if (words[objects.at(device) + DEVICE_GOING] === 1)
    throw new IommuError('ENOENT', call, 'dev_id', objects.idOf(device), 'is being unbound');
  checkHwpt(context, call, groupAt, device, pasid, hwpt);
  checkPasid(context, call, device, pasid);
  const records = reserveMember(context, call, attachmentAt === 0);
  try {
    attachReally(context, call, device, pasid, hwpt);
  } catch (error) {
    freeMember(context, records);
    throw error;
  }
  addMember(context, groupAt, pasid, hwpt, device, records);
  objects.hold(hwpt);
  objects.hold(device);
}

/** A group moves as a whole: all of its devices that are attached at the PASID, or none. */
function replace(context: Context, call: string, groupAt: number, device: number, pasid: number, hwpt: number): void {
  const { objects, words } = context;
  const attachmentAt = findAttachment(context, groupAt, pasid);
  if (attachmentAt === 0 || findMember(context, attachmentAt, device) === 0)
    throw new IommuError('EINVAL', call, 'dev_id', objects.idOf(device), 'is not attached');
  const old = words[attachmentAt + ATTACH_HWPT];
  if (old === hwpt) return;
  const members = membersOf(context, attachmentAt);
  for (const member of members) checkHwpt(context, call, groupAt, member, pasid, hwpt);
  const moved: number[] = [];
  try {
    for (const member of members) {
      replaceReally(context, call, member, pasid, hwpt, old);
      moved.push(member);
    }
  } catch (error) {
    for (const member of moved.reverse()) takeReplaceBack(context, member, pasid, hwpt, old);
    throw error;
  }
  words[attachmentAt + ATTACH_HWPT] = hwpt;
  for (const member of members) {
    endReplace(context, member, pasid, hwpt, old);
    objects.hold(hwpt);
    letGoHwpt(context, old);
  }
}

/** Detaches. What is not attached is left alone. @throws IommuError ENOENT id */
export function detachDevice(context: Context, id: number, pasid: number = 0): void {
  const { machine, objects, words } = context;
  machine.blocking(() => {
    const device = objects.get('detach', 'dev_id', id, OBJ_DEVICE);
    try {
      withGroup(context, groupOf(context, device), (groupAt) => {
        const attachmentAt = findAttachment(context, groupAt, pasid);
        if (attachmentAt === 0 || findMember(context, attachmentAt, device) === 0) return;
        const hwpt = words[attachmentAt + ATTACH_HWPT];
        detachReally(context, device, pasid, hwpt);
        removeMember(context, groupAt, attachmentAt, device);
        letGoHwpt(context, hwpt);
        objects.release(device);
      });
    } finally {
      objects.put(device);
    }
  });
}
