// What may be attached to what. Context: the group's lock.
import { IommuError } from '@faultline/core/errors';
import type { Context } from '../context/context.ts';
import {
  DEVICE_NUMBER,
  DEVICE_VDEVICE,
  HWPT_DOMAIN,
  HWPT_FAULT,
  HWPT_FLAGS,
  HWPT_IOMMU,
  HWPT_VIOMMU,
  VDEVICE_VIOMMU,
} from '../objects/index.ts';
import { HWPT_ALLOC_PASID } from '../uapi/index.ts';
import { findAttachment, pasidHwpts } from './attachments.ts';
import { ATTACH_HWPT } from './layout.ts';

/** @throws IommuError EOPNOTSUPP the device has no PASIDs; EINVAL the number is none of its. */
export function checkPasid(context: Context, call: string, device: number, pasid: number): void {
  if (pasid === 0) return;
  const { machine, objects, words } = context;
  const { maxPasidLog2 } = machine.driver.traits(words[objects.at(device) + DEVICE_NUMBER]);
  if (maxPasidLog2 === 0) throw new IommuError('EOPNOTSUPP', call, 'pasid', pasid, 'the device has no PASIDs');
  if (!(Number.isInteger(pasid) && pasid >= 1 && pasid < 2 ** maxPasidLog2))
    throw new IommuError('EINVAL', call, 'pasid', pasid, `must be from 1 to ${2 ** maxPasidLog2 - 1}`);
}

/** @throws IommuError EINVAL, ENOENT the device has no vdevice in the HWPT's vIOMMU. */
export function checkHwpt(
  context: Context,
  call: string,
  groupAt: number,
  device: number,
  pasid: number,
  hwpt: number,
): void {
  const { machine, objects, words } = context;
  const at = objects.at(hwpt);
  const deviceAt = objects.at(device);
  const traits = machine.driver.traits(words[deviceAt + DEVICE_NUMBER]);
  const refuse = (why: string): never => {
    throw new IommuError('EINVAL', call, 'pt_id', objects.idOf(hwpt), why);
  };
  if (words[at + HWPT_IOMMU] !== traits.iommu) refuse('is for another IOMMU');
  if (words[at + HWPT_FAULT] !== 0 && traits.priVirtualFunction)
    refuse('has a fault queue, and the device is a virtual function with PRI');
  checkPasids(context, groupAt, pasid, hwpt, refuse);
  const viommu = words[at + HWPT_VIOMMU];
  if (viommu === 0 || machine.driver.needsVdevice?.(words[at + HWPT_DOMAIN]) === false) return;
  const vdevice = words[deviceAt + DEVICE_VDEVICE];
  if (vdevice === 0 || words[objects.at(vdevice) + VDEVICE_VIOMMU] !== viommu)
    throw new IommuError('ENOENT', call, 'dev_id', objects.idOf(device), 'has no vdevice in the vIOMMU of the HWPT');
}

/** With PASIDs in use, every HWPT of the group is made for them. */
function checkPasids(
  context: Context,
  groupAt: number,
  pasid: number,
  hwpt: number,
  refuse: (why: string) => never,
): void {
  const { objects, words } = context;
  const forPasids = (object: number): boolean => (words[objects.at(object) + HWPT_FLAGS] & HWPT_ALLOC_PASID) !== 0;
  if (pasid === 0) {
    if (!forPasids(hwpt) && pasidHwpts(context, groupAt).length > 0)
      refuse('is not made for PASIDs, and the device has some attached');
    return;
  }
  if (!forPasids(hwpt)) refuse('is not made for PASIDs');
  const plainAt = findAttachment(context, groupAt, 0);
  if (plainAt !== 0 && !forPasids(words[plainAt + ATTACH_HWPT]))
    refuse('stands beside one without PASID that is not made for PASIDs');
}
