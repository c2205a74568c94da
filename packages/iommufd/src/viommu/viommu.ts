// VIOMMU_ALLOC: a slice of a physical IOMMU for a virtual machine. @see Linux drivers/iommu/iommufd/viommu.c
import { IommuError } from '@faultline/core/errors';
import type { Command, Context, Ucmd } from '../context/index.ts';
import { userData } from '../driver/index.ts';
import {
  DEVICE_NUMBER,
  HWPT_DOMAIN,
  HWPT_FLAGS,
  VIOMMU_HWPT,
  VIOMMU_IOMMU,
  VIOMMU_NUMBER,
  VIOMMU_TYPE,
} from '../objects/index.ts';
import {
  HWPT_ALLOC_NEST_PARENT,
  OBJ_DEVICE,
  OBJ_HWPT_PAGING,
  OBJ_VIOMMU,
  VIOMMU_ALLOC,
  VIOMMU_TYPE_DEFAULT,
} from '../uapi/index.ts';
import { offerRegion, removeRegion } from './mmap.ts';

const CALL = 'VIOMMU_ALLOC';

export const viommuAlloc: Command<typeof VIOMMU_ALLOC> = {
  struct: VIOMMU_ALLOC,
  run(context, ucmd) {
    const { machine, objects, words } = context;
    const { flags, type, devId, hwptId } = ucmd.args;
    if (flags !== 0) throw new IommuError('EOPNOTSUPP', CALL, 'flags', flags, 'must be 0');
    if (type === VIOMMU_TYPE_DEFAULT)
      throw new IommuError('EOPNOTSUPP', CALL, 'type', type, 'must be a type of a driver');
    const device = objects.get(CALL, 'dev_id', devId, OBJ_DEVICE);
    try {
      if (!machine.driver.hasViommu(words[objects.at(device) + DEVICE_NUMBER], type))
        throw new IommuError('EOPNOTSUPP', CALL, 'type', type, 'the device’s IOMMU has no such vIOMMU');
      const hwpt = objects.get(CALL, 'hwpt_id', hwptId, OBJ_HWPT_PAGING);
      try {
        if ((words[objects.at(hwpt) + HWPT_FLAGS] & HWPT_ALLOC_NEST_PARENT) === 0)
          throw new IommuError('EINVAL', CALL, 'hwpt_id', hwptId, 'is no nesting parent');
        make(context, device, hwpt, ucmd);
      } finally {
        objects.put(hwpt);
      }
    } finally {
      objects.put(device);
    }
  },
};

function make(
  context: Context,
  device: number,
  hwpt: number,
  { args, caller, respond }: Ucmd<typeof VIOMMU_ALLOC>,
): void {
  const { machine, objects, words } = context;
  const number = words[objects.at(device) + DEVICE_NUMBER];
  const data = args.dataLen === 0 ? undefined : userData(caller, CALL, args.type, args.dataLen, args.dataUptr);
  const undo: (() => void)[] = [];
  try {
    const viommu = objects.reserve(CALL, OBJ_VIOMMU);
    undo.push(() => objects.abort(viommu));
    const at = objects.at(viommu);
    words[at + VIOMMU_NUMBER] = viommu;
    words[at + VIOMMU_HWPT] = hwpt;
    words[at + VIOMMU_TYPE] = args.type;
    words[at + VIOMMU_IOMMU] = machine.driver.traits(number).iommu;
    undo.push(() => removeRegion(context, viommu));
    machine.driver.allocViommu(viommu, number, args.type, words[objects.at(hwpt) + HWPT_DOMAIN], data, {
      offer: (physical, bytes) => offerRegion(context, CALL, viommu, physical, bytes),
    });
    undo.push(() => machine.driver.freeViommu(viommu));
    args.outViommuId = objects.idOf(viommu);
    respond();
    objects.hold(hwpt);
    objects.finalize(viommu);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** Destroyer: no vdevice, event queue, hardware queue, nested HWPT or mapping is left. */
export function endViommu(context: Context, at: number, viommu: number): void {
  const { machine, objects, words } = context;
  removeRegion(context, viommu);
  machine.driver.freeViommu(words[at + VIOMMU_NUMBER]);
  objects.release(words[at + VIOMMU_HWPT]);
}
