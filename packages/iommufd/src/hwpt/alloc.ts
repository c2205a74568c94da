// HWPT_ALLOC. @see Linux drivers/iommu/iommufd/hw_pagetable.c iommufd_hwpt_alloc()
import { IommuError } from '@faultline/core/errors';
import type { Command } from '../context/index.ts';
import { userData } from '../driver/index.ts';
import {
  HWPT_ALLOC,
  HWPT_DATA_NONE,
  OBJ_DEVICE,
  OBJ_HWPT_NESTED,
  OBJ_HWPT_PAGING,
  OBJ_IOAS,
  OBJ_VIOMMU,
} from '../uapi/index.ts';
import { endNestedHwpt, makeNestedHwpt } from './nested.ts';
import { abortPagingHwpt, makePagingHwpt } from './paging.ts';

const CALL = 'HWPT_ALLOC';

export const hwptAlloc: Command<typeof HWPT_ALLOC> = {
  struct: HWPT_ALLOC,
  run(context, { args, caller, respond }) {
    const { objects } = context;
    const { dataType, dataLen, dataUptr, flags, faultId } = args;
    if ((dataType === HWPT_DATA_NONE) !== (dataLen === 0))
      throw new IommuError('EINVAL', CALL, 'data_len', dataLen, `does not go with data_type ${dataType}`);
    const data = dataLen === 0 ? undefined : userData(caller, CALL, dataType, dataLen, dataUptr);
    const device = objects.get(CALL, 'dev_id', args.devId, OBJ_DEVICE);
    try {
      const target = objects.tryGet(args.ptId, []);
      if (target === 0) throw new IommuError('EINVAL', CALL, 'pt_id', args.ptId, 'names no object');
      try {
        const type = objects.typeOf(target);
        let hwpt: number;
        if (type === OBJ_IOAS)
          hwpt = makePagingHwpt(context, {
            call: CALL,
            ioas: target,
            device,
            flags,
            faultId,
            ...(data === undefined ? {} : { data }),
          });
        else if (type === OBJ_HWPT_PAGING || type === OBJ_VIOMMU)
          hwpt = makeNestedHwpt(context, { on: target, onViommu: type === OBJ_VIOMMU, device, flags, data, faultId });
        else throw new IommuError('EINVAL', CALL, 'pt_id', args.ptId, 'is neither IOAS, HWPT_PAGING nor vIOMMU');
        try {
          args.outHwptId = objects.idOf(hwpt);
          respond();
        } catch (error) {
          if (objects.typeOf(hwpt) === OBJ_HWPT_NESTED) {
            endNestedHwpt(context, objects.at(hwpt), hwpt);
            objects.abort(hwpt);
          } else abortPagingHwpt(context, hwpt);
          throw error;
        }
        objects.finalize(hwpt);
      } finally {
        objects.put(target);
      }
    } finally {
      objects.put(device);
    }
  },
};
