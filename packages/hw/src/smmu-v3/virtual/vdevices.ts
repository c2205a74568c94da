import { ERRNO } from '@faultline/core/errors';
import { mutexLock, mutexUnlock, type ThreadSelf } from '@faultline/core/sync';
import { Xarray } from '@faultline/core/xarray';
import {
  MASTER_GROUP,
  MASTER_SID,
  MASTER_VDEV_ID,
  MASTER_VDEV_PAIR,
  MASTER_VDEV_VSMMU,
  type VirtualArea,
  VSTREAM_VSMMU,
} from './layout.ts';
import { addSidPair, removeSidPair } from './sid-match.ts';
import type { VdeviceLookUp } from './viommu.ts';
import { getVsmmu, putVsmmu } from './vsmmu.ts';

// vdevices: which virtual StreamID a device has in which vSMMU. A device has one vdevice at most, so it stands in the device's master;
// a vSMMU finds it by virtual id in an xarray. Both change under the device's group mutex, as attaching does: a vdevice that an
// attach has found does not go before that attach is done.
//
// destroy() keeps a vdevice while a nested domain of its vSMMU is attached, as the discussion has it: set before the attach, cleaned after the
// detach. Else a stream would translate for a guest that has no name for it. Linux does not ask, nor does destroyNow().

const MAX_VIRTUAL_ID = 2 ** 20 - 1; // what an xarray has room for

/** The vdevices of all vSMMUs. One instance a thread. */
export class Vdevices implements VdeviceLookUp {
  readonly #area: VirtualArea;
  readonly #self: ThreadSelf;
  readonly #arrays: readonly Xarray[];

  constructor(area: VirtualArea, self: ThreadSelf) {
    this.#area = area;
    this.#self = self;
    this.#arrays = Array.from(
      { length: area.vsmmus },
      (_, i) => new Xarray(area.words, area.vdevsAt('Vdevices', i + 1)),
    );
  }

  /** Gives `device` the name `virtualId` in a vSMMU, and registers it for the vSMMU's command queues.
   * @returns 0, or negative errno: EINVAL an id past 20 bits, ENOENT no such vSMMU, EEXIST the device has a vdevice or the id is taken,
   * ENOSPC no pair of SID registers is free.
   * @throws IommuError EINVAL, ENOMEM no room for so distant an id. Context: takes the group mutex. @see Linux iommufd_vdevice_alloc_ioctl() */
  alloc(vsmmu: number, device: number, virtualId: number): number {
    const area = this.#area;
    const at = area.masterAt('Vdevices.alloc', device);
    if (!Number.isInteger(virtualId) || virtualId < 0 || virtualId > MAX_VIRTUAL_ID) return -ERRNO.EINVAL;
    const got = getVsmmu(area, 'Vdevices.alloc', vsmmu);
    if (got !== 0) return got;
    const group = area.words[at + MASTER_GROUP];
    mutexLock(area.words, group, this.#self);
    let result = -ERRNO.EEXIST;
    try {
      result = this.#publish(at, vsmmu, device, virtualId);
    } finally {
      if (result !== 0) putVsmmu(area, vsmmu);
      mutexUnlock(area.words, group, this.#self);
    }
    return result;
  }

  /** Takes a device's name away.
   * @returns 0, or negative errno: ENOENT it has none, EBUSY a nested domain of its vSMMU is attached. @throws IommuError EINVAL
   * Context: takes the group mutex. */
  destroy(device: number): number {
    return this.#destroy('Vdevices.destroy', device, false);
  }

  /** Takes it away whatever is attached, as Linux does, and as who ends the device must. The stream's events keep the old name until the next
   * attach; its guest's invalidations are refused from now on.
   * @returns 0, or negative errno ENOENT. @throws IommuError EINVAL Context: takes the group mutex. @see Linux iommufd_vdevice_destroy() */
  destroyNow(device: number): number {
    return this.#destroy('Vdevices.destroyNow', device, true);
  }

  virtualId(vsmmu: number, device: number): number {
    const at = this.#area.masterAt('Vdevices.virtualId', device);
    return this.#area.words[at + MASTER_VDEV_VSMMU] === vsmmu ? this.#area.words[at + MASTER_VDEV_ID] : -ERRNO.ENOENT;
  }

  findDevice(vsmmu: number, virtualId: number): number {
    const found = this.#arrays[vsmmu - 1]?.load(virtualId) ?? 0;
    return found === 0 ? -ERRNO.ENOENT : found - 1;
  }

  /** The id is found only once the registers are set: as in 7.2; in 7.0 it was the other way round. */
  #publish(at: number, vsmmu: number, device: number, virtualId: number): number {
    const { words } = this.#area;
    if (words[at + MASTER_VDEV_VSMMU] !== 0) return -ERRNO.EEXIST;
    const pair = addSidPair(this.#area, vsmmu, virtualId, words[at + MASTER_SID]);
    if (pair < 0) return pair;
    let taken = true;
    try {
      taken = this.#arrays[vsmmu - 1].compareExchange(virtualId, 0, device + 1) !== 0;
    } finally {
      if (taken) removeSidPair(this.#area, vsmmu, pair);
    }
    if (taken) return -ERRNO.EEXIST;
    words[at + MASTER_VDEV_VSMMU] = vsmmu;
    words[at + MASTER_VDEV_ID] = virtualId;
    words[at + MASTER_VDEV_PAIR] = pair;
    return 0;
  }

  #destroy(call: string, device: number, now: boolean): number {
    const { words } = this.#area;
    const at = this.#area.masterAt(call, device);
    mutexLock(words, words[at + MASTER_GROUP], this.#self);
    try {
      const vsmmu = words[at + MASTER_VDEV_VSMMU];
      if (vsmmu === 0) return -ERRNO.ENOENT;
      if (!now && words[at + VSTREAM_VSMMU] === vsmmu) return -ERRNO.EBUSY; // only attaching changes it, under this mutex
      this.#remove(at, vsmmu, device);
      return 0;
    } finally {
      mutexUnlock(words, words[at + MASTER_GROUP], this.#self);
    }
  }

  #remove(at: number, vsmmu: number, device: number): void {
    const { words } = this.#area;
    this.#arrays[vsmmu - 1].compareExchange(words[at + MASTER_VDEV_ID], device + 1, 0);
    removeSidPair(this.#area, vsmmu, words[at + MASTER_VDEV_PAIR]);
    words[at + MASTER_VDEV_VSMMU] = 0;
    putVsmmu(this.#area, vsmmu);
  }
}
