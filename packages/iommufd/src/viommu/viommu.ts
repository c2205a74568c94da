// VIOMMU_ALLOC: a slice of a physical IOMMU for a virtual machine. @see Linux drivers/iommu/iommufd/viommu.c
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Command, Context } from '../context/index.ts';
import { userData } from '../driver/index.ts';
import {
  DEVICE_NUMBER,
  HWPT_DOMAIN,
  HWPT_FLAGS,
  VIOMMU_HWPT,
  VIOMMU_IOMMU,
  VIOMMU_LOCK,
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

const CALL = 'VIOMMU_ALLOC';

export const viommuAlloc: Command<typeof VIOMMU_ALLOC> = {
  struct: VIOMMU_ALLOC,
  run(context, { args, caller, respond }) {
    const { machine, objects, words } = context;
    if (args.flags !== 0) throw new IommuError('EOPNOTSUPP', CALL, 'flags', args.flags, 'must be 0');
    if (args.type === VIOMMU_TYPE_DEFAULT)
      throw new IommuError('EOPNOTSUPP', CALL, 'type', args.type, 'must be a type of a driver');
    const held: number[] = [];
    try {
      const device = objects.get(CALL, 'dev_id', args.devId, OBJ_DEVICE);
      held.push(device);
      const hwpt = objects.get(CALL, 'hwpt_id', args.hwptId, OBJ_HWPT_PAGING);
      held.push(hwpt);
      if ((words[objects.at(hwpt) + HWPT_FLAGS] & HWPT_ALLOC_NEST_PARENT) === 0)
        throw new IommuError('EINVAL', CALL, 'hwpt_id', args.hwptId, 'is no nesting parent');
      const viommu = objects.reserve(CALL, OBJ_VIOMMU);
      held.push(viommu);
      const at = objects.at(viommu);
      const number = words[objects.at(device) + DEVICE_NUMBER];
      words[at + VIOMMU_NUMBER] = viommu;
      words[at + VIOMMU_HWPT] = hwpt;
      words[at + VIOMMU_TYPE] = args.type;
      words[at + VIOMMU_IOMMU] = machine.driver.traits(number).iommu;
      const data = args.dataLen === 0 ? undefined : userData(caller, CALL, args.type, args.dataLen, args.dataUptr);
      const parent = words[objects.at(hwpt) + HWPT_DOMAIN];
      try {
        machine.driver.allocViommu(viommu, number, args.type, parent, data);
        try {
          args.outViommuId = objects.idOf(viommu);
          respond();
        } catch (error) {
          machine.driver.freeViommu(viommu);
          throw error;
        }
      } catch (error) {
        held.pop();
        objects.abort(viommu);
        throw error;
      }
      held.pop();
      objects.hold(hwpt);
      objects.finalize(viommu);
    } finally {
      for (const object of held.reverse()) objects.put(object);
    }
  },
};

/** Destroyer: no vdevice, event queue, hardware queue or nested HWPT is left. */
export function endViommu({ machine, objects, words }: Context, at: number): void {
  machine.driver.freeViommu(words[at + VIOMMU_NUMBER]);
  objects.release(words[at + VIOMMU_HWPT]);
}

/** Runs `body` with a vIOMMU's lists locked. */
export function withViommu<T>({ machine, objects, words }: Context, viommu: number, body: (at: number) => T): T {
  const at = objects.at(viommu);
  mutexLock(words, at + VIOMMU_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(words, at + VIOMMU_LOCK, machine.self);
  }
}
