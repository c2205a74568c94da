// VDEVICE_ALLOC: a device as a virtual machine's IOMMU knows it, by a number of the machine's. One a device.
// @see Linux drivers/iommu/iommufd/viommu.c iommufd_vdevice_alloc_ioctl(), iommufd_vdevice_destroy()
import { IommuError } from '@faultline/core/errors';
import type { Command, Context } from '../context/index.ts';
import { withGroup } from '../device/bind.ts';
import { loadU64, storeU64 } from '../memory/index.ts';
import {
  DEVICE_GOING,
  DEVICE_GROUP,
  DEVICE_NUMBER,
  DEVICE_VDEVICE,
  ID_TOMBSTONE,
  VDEVICE_DEVICE,
  VDEVICE_NEXT,
  VDEVICE_VIOMMU,
  VDEVICE_VIRT_ID,
  VIOMMU_IOMMU,
  VIOMMU_NUMBER,
  VIOMMU_VDEVICES,
} from '../objects/index.ts';
import { OBJ_DEVICE, OBJ_VDEVICE, OBJ_VIOMMU, VDEVICE_ALLOC } from '../uapi/index.ts';
import { withViommu } from './viommu.ts';

const CALL = 'VDEVICE_ALLOC';

export const vdeviceAlloc: Command<typeof VDEVICE_ALLOC> = {
  struct: VDEVICE_ALLOC,
  run(context, { args, respond }) {
    const { objects, words } = context;
    const viommu = objects.get(CALL, 'viommu_id', args.viommuId, OBJ_VIOMMU);
    try {
      const device = objects.get(CALL, 'dev_id', args.devId, OBJ_DEVICE);
      try {
        // The group's lock: an attach that wants the vdevice comes before or after, not in between.
        withGroup(context, words[objects.at(device) + DEVICE_GROUP], () => {
          const vdevice = make(context, viommu, device, args);
          try {
            args.outVdeviceId = objects.idOf(vdevice);
            respond();
          } catch (error) {
            unmake(context, objects.at(vdevice));
            objects.abort(vdevice);
            throw error;
          }
          objects.finalize(vdevice);
        });
      } finally {
        objects.put(device);
      }
    } finally {
      objects.put(viommu);
    }
  },
};

/** Context: the group's lock. */
function make(
  context: Context,
  viommu: number,
  device: number,
  { viommuId, devId, virtId }: { readonly viommuId: number; readonly devId: number; readonly virtId: bigint },
): number {
  const { machine, objects, words } = context;
  const deviceAt = objects.at(device);
  const viommuAt = objects.at(viommu);
  const number = words[deviceAt + DEVICE_NUMBER];
  if (machine.driver.traits(number).iommu !== words[viommuAt + VIOMMU_IOMMU])
    throw new IommuError('EINVAL', CALL, 'dev_id', devId, `is behind another IOMMU than vIOMMU ${viommuId}`);
  if (words[deviceAt + DEVICE_GOING] === 1) throw new IommuError('ENOENT', CALL, 'dev_id', devId, 'is being unbound');
  if (words[deviceAt + DEVICE_VDEVICE] !== 0) throw new IommuError('EEXIST', CALL, 'dev_id', devId, 'has a vdevice');
  const vdevice = objects.reserve(CALL, OBJ_VDEVICE);
  const at = objects.at(vdevice);
  words[at + VDEVICE_VIOMMU] = viommu;
  words[at + VDEVICE_DEVICE] = device;
  storeU64(words, at + VDEVICE_VIRT_ID, virtId);
  try {
    machine.driver.allocVdevice(words[viommuAt + VIOMMU_NUMBER], number, virtId);
    try {
      publish(context, viommu, vdevice, virtId);
    } catch (error) {
      machine.driver.freeVdevice(words[viommuAt + VIOMMU_NUMBER], number, virtId);
      throw error;
    }
  } catch (error) {
    objects.abort(vdevice);
    throw error;
  }
  words[deviceAt + DEVICE_VDEVICE] = vdevice;
  objects.hold(viommu);
  objects.holdRunning(device);
  return vdevice;
}

/** From here on the vIOMMU finds the device by its virtual number. @throws IommuError EEXIST */
function publish(context: Context, viommu: number, vdevice: number, virtId: bigint): void {
  const { objects, words } = context;
  withViommu(context, viommu, (viommuAt) => {
    if (findVdevice(context, viommu, virtId) !== 0)
      throw new IommuError('EEXIST', CALL, 'virt_id', virtId, 'is taken in this vIOMMU');
    words[objects.at(vdevice) + VDEVICE_NEXT] = words[viommuAt + VIOMMU_VDEVICES];
    words[viommuAt + VIOMMU_VDEVICES] = vdevice;
  });
}

/** The vdevice of a virtual number, 0 for none. Context: the vIOMMU's lock, for as long as it is used. */
export function findVdevice({ objects, words }: Context, viommu: number, virtId: bigint): number {
  let vdevice = words[objects.at(viommu) + VIOMMU_VDEVICES];
  while (vdevice !== 0 && loadU64(words, objects.at(vdevice) + VDEVICE_VIRT_ID) !== virtId)
    vdevice = words[objects.at(vdevice) + VDEVICE_NEXT];
  return vdevice;
}

/** Destroyer. */
export function endVdevice(context: Context, at: number): void {
  const { objects, words } = context;
  const group = words[objects.at(words[at + VDEVICE_DEVICE]) + DEVICE_GROUP];
  withGroup(context, group, () => unmake(context, at));
}

/** Context: the group's lock. */
function unmake(context: Context, at: number): void {
  const { machine, objects, words } = context;
  const viommu = words[at + VDEVICE_VIOMMU];
  const device = words[at + VDEVICE_DEVICE];
  const vdevice = words[objects.at(device) + DEVICE_VDEVICE];
  withViommu(context, viommu, (viommuAt) => {
    let link = viommuAt + VIOMMU_VDEVICES;
    while (words[link] !== vdevice) link = objects.at(words[link]) + VDEVICE_NEXT;
    words[link] = words[at + VDEVICE_NEXT];
  });
  const number = words[objects.at(device) + DEVICE_NUMBER];
  machine.driver.freeVdevice(words[objects.at(viommu) + VIOMMU_NUMBER], number, loadU64(words, at + VDEVICE_VIRT_ID));
  words[objects.at(device) + DEVICE_VDEVICE] = 0;
  objects.release(viommu);
  objects.releaseRunning(device);
}

/** Ends the vdevice of a device that is being unbound: its id finds nothing any more, and is not given out again. */
export function destroyVdeviceOf({ objects, words }: Context, device: number): void {
  const vdevice = words[objects.at(device) + DEVICE_VDEVICE];
  if (vdevice !== 0 && objects.tryHold(vdevice)) objects.remove('unbind', vdevice, ID_TOMBSTONE);
}
