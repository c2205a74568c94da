// GET_HW_INFO: what a device's IOMMU says of itself. @see Linux drivers/iommu/iommufd/device.c iommufd_get_hw_info()
import { IommuError } from '@faultline/core/errors';
import type { Command } from '../context/index.ts';
import { DEVICE_NUMBER } from '../objects/index.ts';
import {
  GET_HW_INFO,
  HW_INFO_FLAG_INPUT_TYPE,
  HW_INFO_TYPE_DEFAULT,
  HW_INFO_TYPE_NONE,
  OBJ_DEVICE,
} from '../uapi/index.ts';

const CALL = 'GET_HW_INFO';
/** Most of a caller's buffer that is zeroed at once. */
const CHUNK = 4096;

/** A buffer that is too short gets what fits; one that is longer is zeroed behind. `data_len` is the real length. */
export const getHwInfo: Command<typeof GET_HW_INFO> = {
  struct: GET_HW_INFO,
  run(context, { args, caller, respond }) {
    const { machine, objects, words } = context;
    if ((args.flags & ~HW_INFO_FLAG_INPUT_TYPE) !== 0)
      throw new IommuError('EOPNOTSUPP', CALL, 'flags', args.flags, 'has bits that are not known');
    const asked = (args.flags & HW_INFO_FLAG_INPUT_TYPE) !== 0 ? args.dataType : HW_INFO_TYPE_DEFAULT;
    const device = objects.get(CALL, 'dev_id', args.devId, OBJ_DEVICE);
    try {
      const number = words[objects.at(device) + DEVICE_NUMBER];
      const traits = machine.driver.traits(number);
      const info = machine.driver.hwInfo(number, asked) ?? { type: HW_INFO_TYPE_NONE, bytes: new Uint8Array(0) };
      const fit = Math.min(args.dataLen, info.bytes.length);
      const refuse = (): never => {
        throw new IommuError('EFAULT', CALL, 'data_uptr', args.dataUptr, `${args.dataLen} bytes cannot be written`);
      };
      if (!caller.memory.write(args.dataUptr, info.bytes.subarray(0, fit))) refuse();
      for (let at = fit; at < args.dataLen; at += CHUNK) {
        const zeros = new Uint8Array(Math.min(CHUNK, args.dataLen - at));
        if (!caller.memory.write(args.dataUptr + BigInt(at), zeros)) refuse();
      }
      args.dataLen = info.bytes.length;
      args.dataType = info.type;
      args.outMaxPasidLog2 = traits.maxPasidLog2;
      args.outCapabilities = BigInt(traits.capabilities);
      respond();
    } finally {
      objects.put(device);
    }
  },
};
