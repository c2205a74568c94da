import {
  FAULT_DEVICE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_PASID,
  GROUP_STATE,
  groupDomainOf,
  REQUEST_WORDS,
  RESPONSE_INVALID,
} from '@faultline/core/iopf';
import { Delivery } from './delivery.ts';
import type { AnswerParts } from './fault-queue.ts';
import type { GroupKeys } from './group-keys.ts';

/** Whose groups: of a device (0: every one) under a domain (0: every one), of one attachment or all that the device has. */
export interface Whose {
  readonly device: number;
  readonly domain: number;
  /** The attachment's, 0: the one without. Left out: all, as a domain may be attached to several PASIDs of a device. */
  readonly pasid?: number;
}

/** Answers Invalid what of some groups waits in a queue, and what its readers hold and have not answered: turning faults off waits for
 * nobody in user space. Answers that come later are refused, as their cookies name nothing any more. Any thread, online, which may wait for
 * a reader's copy; nothing is reported any more that is meant: the attach handle is gone, and a grace period has passed.
 * @param base of the queue. @param keys as its readers have. @returns groups answered or let go. @see Linux drivers/iommu/iommufd/eventq.c iommufd_auto_response_faults() */
export function autoRespond(
  parts: AnswerParts,
  base: number,
  { device, domain, pasid }: Whose,
  keys?: GroupKeys,
): number {
  const { system, path, ops } = parts;
  const { words } = system;
  const delivery = new Delivery(system, base, keys);
  const readers = delivery.keys;
  const { objects } = system.requests;
  const isMeant = (group: number): boolean => {
    const at = objects + group * REQUEST_WORDS;
    if (device !== 0 && words[at + FAULT_DEVICE] !== device) return false;
    const via = (words[at + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) === 0 ? 0 : words[at + FAULT_PASID];
    if (pasid !== undefined && via !== pasid) return false;
    const own = groupDomainOf(Atomics.load(words, at + GROUP_STATE)); // 0 in generations that leave it to the handler
    return domain === 0 || own === 0 || own === domain;
  };
  let ended = 0;
  const end = (group: number): void => {
    path.respondGroup(group, RESPONSE_INVALID);
    ops.flushResponses(); // the answer is out before the group goes
    path.freeGroup(group);
    ended++;
  };
  delivery.lock();
  try {
    delivery.remove(isMeant, end);
    for (let slot = 1; slot <= readers.slots; slot++) {
      const held = readers.heldAt(slot);
      // Read before it is ours: redeeming finds `held` unchanged only if the group was in place all the time.
      if (held === 0 || !isMeant(readers.groupOf(slot, held)) || !readers.redeemSlot(slot, held)) continue;
      end(readers.groupOf(slot, held));
    }
  } finally {
    delivery.unlock();
  }
  path.endBatch();
  return ended;
}
