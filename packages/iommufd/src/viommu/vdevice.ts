// VDEVICE_ALLOC: a device as a virtual machine's IOMMU knows it, by a number of the machine's. One a device.
// @see Linux drivers/iommu/iommufd/viommu.c iommufd_vdevice_alloc_ioctl(), iommufd_vdevice_destroy(); this follows Linux 7.2
import { IommuError } from '@faultline/core/errors';
import type { Command, Context } from '../context/index.ts';
import { withGroup } from '../device/bind.ts';
import type { VirtualDevices } from '../driver/index.ts';
import { loadU64, storeU64 } from '../memory/index.ts';
import {
  DEVICE_GOING,
  DEVICE_GROUP,
  DEVICE_NUMBER,
  DEVICE_VDEVICE,
  VDEVICE_DEVICE,
  VDEVICE_NEXT,
  VDEVICE_READY,
  VDEVICE_VIOMMU,
  VDEVICE_VIRT_ID,
  VIOMMU_IOMMU,
  VIOMMU_NUMBER,
  VIOMMU_VDEVICES,
} from '../objects/index.ts';
import { OBJ_DEVICE, OBJ_VDEVICE, OBJ_VIOMMU, VDEVICE_ALLOC } from '../uapi/index.ts';
import { withViommu } from './lists.ts';

const CALL = 'VDEVICE_ALLOC';

export const vdeviceAlloc: Command<typeof VDEVICE_ALLOC> = {
  struct: VDEVICE_ALLOC,
  run(context, { args, respond }) {
    const { machine, objects, words } = context;
    const viommu = objects.get(CALL, 'viommu_id', args.viommuId, OBJ_VIOMMU);
    try {
      const device = objects.get(CALL, 'dev_id', args.devId, OBJ_DEVICE);
      try {
        const { iommu } = machine.driver.traits(words[objects.at(device) + DEVICE_NUMBER]);
        if (iommu !== words[objects.at(viommu) + VIOMMU_IOMMU])
          throw new IommuError('EINVAL', CALL, 'dev_id', args.devId, `is behind another IOMMU than ${args.viommuId}`);
        // The group's lock: an attach that wants the vdevice comes before or after, not in between.
        withGroup(context, words[objects.at(device) + DEVICE_GROUP], () => {
          checkDevice(context, device, args.devId);
          make(context, { viommu, device, virtId: args.virtId }, (vdevice) => {
            args.outVdeviceId = objects.idOf(vdevice);
            respond();
          });
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
function checkDevice({ objects, words }: Context, device: number, devId: number): void {
  const at = objects.at(device);
  if (words[at + DEVICE_GOING] === 1) throw new IommuError('ENOENT', CALL, 'dev_id', devId, 'is being unbound');
  if (words[at + DEVICE_VDEVICE] !== 0) throw new IommuError('EEXIST', CALL, 'dev_id', devId, 'has a vdevice');
}

interface VdeviceSpec {
  readonly viommu: number;
  readonly device: number;
  readonly virtId: bigint;
}

/** Takes the number first, has the driver ready the device, and lets the number find it last. Context: the group's lock. */
function make(context: Context, { viommu, device, virtId }: VdeviceSpec, respond: (vdevice: number) => void): void {
  const { machine, objects, words } = context;
  const viommuNumber = words[objects.at(viommu) + VIOMMU_NUMBER];
  const number = words[objects.at(device) + DEVICE_NUMBER];
  const undo: (() => void)[] = [];
  try {
    const vdevice = objects.reserve(CALL, OBJ_VDEVICE);
    undo.push(() => objects.abort(vdevice));
    const at = objects.at(vdevice);
    words[at + VDEVICE_VIOMMU] = viommu;
    words[at + VDEVICE_DEVICE] = device;
    storeU64(words, at + VDEVICE_VIRT_ID, virtId);
    takeNumber(context, viommu, vdevice, virtId);
    undo.push(() => giveNumber(context, viommu, vdevice));
    machine.driver.allocVdevice(viommuNumber, number, virtId);
    undo.push(() => machine.driver.freeVdevice(viommuNumber, number, virtId));
    respond(vdevice);
    withViommu(context, viommu, () => {
      words[at + VDEVICE_READY] = 1;
    });
    words[objects.at(device) + DEVICE_VDEVICE] = vdevice;
    objects.hold(viommu);
    objects.holdRunning(device);
    objects.finalize(vdevice);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** @throws IommuError EEXIST another vdevice of the vIOMMU has it. */
function takeNumber(context: Context, viommu: number, vdevice: number, virtId: bigint): void {
  const { objects, words } = context;
  withViommu(context, viommu, (viommuAt) => {
    if (holderOf(context, viommuAt, virtId) !== 0)
      throw new IommuError('EEXIST', CALL, 'virt_id', virtId, 'is taken in this vIOMMU');
    words[objects.at(vdevice) + VDEVICE_NEXT] = words[viommuAt + VIOMMU_VDEVICES];
    words[viommuAt + VIOMMU_VDEVICES] = vdevice;
  });
}

function giveNumber(context: Context, viommu: number, vdevice: number): void {
  const { objects, words } = context;
  withViommu(context, viommu, (viommuAt) => {
    let link = viommuAt + VIOMMU_VDEVICES;
    while (words[link] !== vdevice) link = objects.at(words[link]) + VDEVICE_NEXT;
    words[link] = words[objects.at(vdevice) + VDEVICE_NEXT];
  });
}

/** The vdevice that has a number, ready or not, 0 for none. Context: the vIOMMU's lock. */
function holderOf({ objects, words }: Context, viommuAt: number, virtId: bigint): number {
  let vdevice = words[viommuAt + VIOMMU_VDEVICES];
  while (vdevice !== 0 && loadU64(words, objects.at(vdevice) + VDEVICE_VIRT_ID) !== virtId)
    vdevice = words[objects.at(vdevice) + VDEVICE_NEXT];
  return vdevice;
}

/** A vIOMMU's devices, for its driver. @param viommu object, held by the caller. */
export function virtualDevices(context: Context, viommu: number): VirtualDevices {
  const { objects, words } = context;
  return {
    withDevice: (virtId, body) =>
      withViommu(context, viommu, (viommuAt) => {
        const vdevice = holderOf(context, viommuAt, virtId);
        if (vdevice === 0 || words[objects.at(vdevice) + VDEVICE_READY] === 0) return false;
        body(words[objects.at(words[objects.at(vdevice) + VDEVICE_DEVICE]) + DEVICE_NUMBER]);
        return true;
      }),
  };
}

/** Destroyer. The number finds nothing any more before the driver lets go of the device. */
export function endVdevice(context: Context, at: number, vdevice: number): void {
  const { machine, objects, words } = context;
  const viommu = words[at + VDEVICE_VIOMMU];
  const device = words[at + VDEVICE_DEVICE];
  const deviceAt = objects.at(device);
  withGroup(context, words[deviceAt + DEVICE_GROUP], () => {
    giveNumber(context, viommu, vdevice);
    const virtId = loadU64(words, at + VDEVICE_VIRT_ID);
    machine.driver.freeVdevice(words[objects.at(viommu) + VIOMMU_NUMBER], words[deviceAt + DEVICE_NUMBER], virtId);
    words[deviceAt + DEVICE_VDEVICE] = 0;
  });
  objects.release(viommu);
  objects.releaseRunning(device); // its unbinding may wait for it
}
