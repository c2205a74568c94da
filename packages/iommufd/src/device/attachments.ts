// What a group has attached, by PASID. All under the group's lock.
import type { Context } from '../context/context.ts';
import { GROUP_ATTACHMENTS } from '../machine/layout.ts';
import { DEVICE_GROUP } from '../objects/index.ts';
import { ATTACH_FIRST, ATTACH_HWPT, ATTACH_NEXT, ATTACH_PASID, MEMBER_DEVICE, MEMBER_NEXT } from './layout.ts';

/** Word offset of a group's attachment at a PASID, 0 when there is none. */
export function findAttachment(context: Context, groupAt: number, pasid: number): number {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  for (
    let record = words[groupAt + GROUP_ATTACHMENTS];
    record !== 0;
    record = words[attachments.at(record) + ATTACH_NEXT]
  )
    if (words[attachments.at(record) + ATTACH_PASID] === pasid) return attachments.at(record);
  return 0;
}

/** The group's attachments with a PASID, as objects of their HWPTs. */
export function pasidHwpts(context: Context, groupAt: number): number[] {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  const found: number[] = [];
  for (
    let record = words[groupAt + GROUP_ATTACHMENTS];
    record !== 0;
    record = words[attachments.at(record) + ATTACH_NEXT]
  ) {
    const at = attachments.at(record);
    if (words[at + ATTACH_PASID] !== 0) found.push(words[at + ATTACH_HWPT]);
  }
  return found;
}

/** Takes the records that one more attached device needs, before anything is changed: what can fail comes first. @throws IommuError ENOMEM */
export function reserveMember(
  context: Context,
  call: string,
  needsAttachment: boolean,
): { member: number; attachment: number } {
  const { attachments } = context.machine.pools;
  const member = attachments.alloc(call);
  try {
    return { member, attachment: needsAttachment ? attachments.alloc(call) : 0 };
  } catch (error) {
    attachments.free(member);
    throw error;
  }
}

export function freeMember(context: Context, { member, attachment }: { member: number; attachment: number }): void {
  const { attachments } = context.machine.pools;
  attachments.free(member);
  if (attachment !== 0) attachments.free(attachment);
}

/** Puts reserved records in place: the device is attached. */
export function addMember(
  context: Context,
  groupAt: number,
  pasid: number,
  hwpt: number,
  device: number,
  { member, attachment }: { member: number; attachment: number },
): void {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  if (attachment !== 0) {
    const at = attachments.at(attachment);
    words[at + ATTACH_PASID] = pasid;
    words[at + ATTACH_HWPT] = hwpt;
    words[at + ATTACH_NEXT] = words[groupAt + GROUP_ATTACHMENTS];
    words[groupAt + GROUP_ATTACHMENTS] = attachment;
  }
  let at = findAttachment(context, groupAt, pasid) + ATTACH_FIRST;
  while (words[at] !== 0) at = attachments.at(words[at]) + MEMBER_NEXT;
  words[at] = member;
  words[attachments.at(member) + MEMBER_DEVICE] = device;
}

/** Word offset of a device's member record of an attachment, 0 when it is not attached. */
export function findMember(context: Context, attachmentAt: number, device: number): number {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  for (
    let member = words[attachmentAt + ATTACH_FIRST];
    member !== 0;
    member = words[attachments.at(member) + MEMBER_NEXT]
  )
    if (words[attachments.at(member) + MEMBER_DEVICE] === device) return attachments.at(member);
  return 0;
}

/** Objects of an attachment's devices, in the order in which they were attached. */
export function membersOf(context: Context, attachmentAt: number): number[] {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  const found: number[] = [];
  for (
    let member = words[attachmentAt + ATTACH_FIRST];
    member !== 0;
    member = words[attachments.at(member) + MEMBER_NEXT]
  )
    found.push(words[attachments.at(member) + MEMBER_DEVICE]);
  return found;
}

/** Whether a device is attached at any PASID. */
export function isAttached(context: Context, groupAt: number, device: number): boolean {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  let record = words[groupAt + GROUP_ATTACHMENTS];
  while (record !== 0 && findMember(context, attachments.at(record), device) === 0)
    record = words[attachments.at(record) + ATTACH_NEXT];
  return record !== 0;
}

/** Takes a device off an attachment, which goes with its last one. */
export function removeMember(context: Context, groupAt: number, attachmentAt: number, device: number): void {
  const { words, machine } = context;
  const { attachments } = machine.pools;
  let at = attachmentAt + ATTACH_FIRST;
  while (words[attachments.at(words[at]) + MEMBER_DEVICE] !== device) at = attachments.at(words[at]) + MEMBER_NEXT;
  const member = words[at];
  words[at] = words[attachments.at(member) + MEMBER_NEXT];
  attachments.free(member);
  if (words[attachmentAt + ATTACH_FIRST] !== 0) return;
  const attachment = attachments.indexOf(attachmentAt);
  let link = groupAt + GROUP_ATTACHMENTS;
  while (words[link] !== attachment) link = attachments.at(words[link]) + ATTACH_NEXT;
  words[link] = words[attachmentAt + ATTACH_NEXT];
  attachments.free(attachment);
}

/** Group of a device object. */
export function groupOf(context: Context, device: number): number {
  return context.words[context.objects.at(device) + DEVICE_GROUP];
}
