import { IommuError } from '@faultline/core/errors';
import { HANDLE_DOMAIN, HANDLE_WORDS } from '@faultline/core/iopf';
import type { Command, Context } from '../../context/index.ts';
import { attachDevice, detachDevice, replaceDevice } from '../../device/index.ts';
import { DEVICE_NUMBER, HWPT_DOMAIN } from '../../objects/index.ts';
import { OBJ_DEVICE, OBJ_HWPT_NESTED, OBJ_HWPT_PAGING } from '../../uapi/index.ts';
import { TEST_PASID_ATTACH, TEST_PASID_CHECK_HWPT, TEST_PASID_DETACH, TEST_PASID_REPLACE } from './layout.ts';
import { withIdev } from './mock-domain.ts';

export const pasidAttach: Command<typeof TEST_PASID_ATTACH> = {
  struct: TEST_PASID_ATTACH,
  run(context, { args }) {
    const { id, ...target } = args;
    withIdev(context, 'TEST_PASID_ATTACH', id, (idev) => attachDevice(context, idev, target));
  },
};

export const pasidReplace: Command<typeof TEST_PASID_REPLACE> = {
  struct: TEST_PASID_REPLACE,
  run(context, { args }) {
    const { id, ...target } = args;
    withIdev(context, 'TEST_PASID_REPLACE', id, (idev) => replaceDevice(context, idev, target));
  },
};

export const pasidDetach: Command<typeof TEST_PASID_DETACH> = {
  struct: TEST_PASID_DETACH,
  run(context, { args }) {
    withIdev(context, 'TEST_PASID_DETACH', args.id, (idev) => detachDevice(context, idev, args.pasid));
  },
};

/** Whether the PASID has that HWPT attached, as far as the fault path knows; 0: none. @throws IommuError EINVAL not, ENOENT hwpt_id */
export const pasidCheckHwpt: Command<typeof TEST_PASID_CHECK_HWPT> = {
  struct: TEST_PASID_CHECK_HWPT,
  run(context, { args }) {
    const call = 'TEST_PASID_CHECK_HWPT';
    const { machine, objects, words } = context;
    const number = withIdev(context, call, args.id, (idev) => deviceNumber(context, call, idev));
    const attached = machine.answering(() => attachedDomain(context, number, args.pasid));
    let wanted = 0;
    if (args.hwptId !== 0) {
      const hwpt = objects.get(call, 'hwpt_id', args.hwptId, OBJ_HWPT_PAGING, OBJ_HWPT_NESTED);
      wanted = words[objects.at(hwpt) + HWPT_DOMAIN];
      objects.put(hwpt);
    }
    if (attached !== wanted)
      throw new IommuError('EINVAL', call, 'hwpt_id', args.hwptId, `PASID ${args.pasid} has domain ${attached}`);
  },
};

/** The driver's number of a bound device. @throws IommuError ENOENT */
export function deviceNumber({ objects, words }: Context, call: string, idev: number, field: string = 'id'): number {
  const device = objects.get(call, field, idev, OBJ_DEVICE);
  const number = words[objects.at(device) + DEVICE_NUMBER];
  objects.put(device);
  return number;
}

/** Domain that faults of a PASID go to, 0 for none. Context: online. */
export function attachedDomain(
  { machine, words }: Pick<Context, 'machine' | 'words'>,
  device: number,
  pasid: number,
): number {
  const { handles } = machine.system;
  const handle = machine.system.attachArray(device).load(pasid);
  return handle === 0 ? 0 : words[handles.objects + handle * HANDLE_WORDS + HANDLE_DOMAIN];
}
