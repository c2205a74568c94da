import { checkInteger, ERRNO } from '@faultline/core/errors';
import { refcountIncNotZero, refcountPut } from '@faultline/core/sync';
import { type VirtualArea, VSMMU_USERS, VSMMU_VMID } from './layout.ts';

const CLAIMED = -1; // of USERS: taken, not yet there for anybody
const OWNER = 1;

// A vSMMU is the guest's SMMU: a VMID over the stage 2 that all its devices share, and the virtual ids of its vdevices.
// Whoever needs it to stay counts in USERS: its owner, each vdevice, each nested domain, each virtual command queue.
//
// Ordering.
//   [P] allocVsmmu: VMID, then USERS          pairs with  [C] getVsmmu: USERS, then VMID
//   [R] putVsmmu: last use, then USERS        pairs with  [X] destroyVsmmu: USERS of the owner alone, then free

/** Makes a vSMMU of the stage 2 with `vmid`, 16 bits. @returns its number, or negative errno ENOSPC. @throws IommuError EINVAL
 * @see Linux arm_vsmmu_init() */
export function allocVsmmu(area: VirtualArea, vmid: number): number {
  checkInteger('allocVsmmu', 'vmid', vmid, 0, 65535);
  for (let vsmmu = 1; vsmmu <= area.vsmmus; vsmmu++) {
    const at = area.vsmmuAt('allocVsmmu', vsmmu);
    if (Atomics.compareExchange(area.words, at + VSMMU_USERS, 0, CLAIMED) !== 0) continue;
    area.words[at + VSMMU_VMID] = vmid;
    Atomics.store(area.words, at + VSMMU_USERS, OWNER); // [P]
    return vsmmu;
  }
  return -ERRNO.ENOSPC;
}

/** Ends a vSMMU that nobody uses. Nobody can still hold it: whoever might counts among its users.
 * @returns 0, or negative errno: ENOENT no such vSMMU, EBUSY it has vdevices, nested domains or queues. @throws IommuError EINVAL */
export function destroyVsmmu(area: VirtualArea, vsmmu: number): number {
  const at = area.vsmmuAt('destroyVsmmu', vsmmu) + VSMMU_USERS;
  const found = Atomics.compareExchange(area.words, at, OWNER, 0); // [X]
  if (found === OWNER) return 0;
  return found <= 0 ? -ERRNO.ENOENT : -ERRNO.EBUSY;
}

/** Counts a user. @returns 0, or negative errno ENOENT. @throws IommuError EINVAL */
export function getVsmmu(area: VirtualArea, call: string, vsmmu: number): number {
  return refcountIncNotZero(area.words, area.vsmmuAt(call, vsmmu) + VSMMU_USERS) ? 0 : -ERRNO.ENOENT; // [C]
}

export function putVsmmu(area: VirtualArea, vsmmu: number): void {
  refcountPut(area.words, area.vsmmuAt('putVsmmu', vsmmu) + VSMMU_USERS); // [R]; never the last: that is the owner's
}

/** The VMID of a vSMMU. The caller is one of its users, or its owner. */
export function vsmmuVmid(area: VirtualArea, vsmmu: number): number {
  return area.words[area.vsmmuAt('vsmmuVmid', vsmmu) + VSMMU_VMID];
}
