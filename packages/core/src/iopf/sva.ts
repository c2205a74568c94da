import { GROUP_FAULTS, REQUEST_CHAIN, REQUEST_WORDS } from './layout.ts';
import type { AddressSpace } from './mm.ts';
import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_PAGE_HI,
  FAULT_PAGE_HI_MASK,
  FAULT_PAGE_LO,
  FAULT_PERM,
  FAULT_PERM_EXEC,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  type ResponseCode,
} from './record.ts';
import type { IopfSystem } from './system.ts';

const ACCESS = FAULT_PERM_READ | FAULT_PERM_WRITE | FAULT_PERM_EXEC;

/** Makes the page of one request present, leased to the device if asked for. @see Linux drivers/iommu/iommu-sva.c iommu_sva_handle_mm() */
function handleOne(words: Int32Array, at: number, mm: AddressSpace, lease: boolean): ResponseCode {
  if ((words[at + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) === 0) return RESPONSE_INVALID;
  if (!mm.getUsers()) return RESPONSE_INVALID;
  const pageLo = words[at + FAULT_PAGE_LO];
  const pageHi = words[at + FAULT_PAGE_HI] & FAULT_PAGE_HI_MASK;
  const perm = words[at + FAULT_PERM];
  const wanted = perm & ACCESS;
  let code: ResponseCode = RESPONSE_INVALID;
  mm.readLock();
  const area = mm.findArea(pageLo, pageHi);
  if (area !== 0 && (wanted & ~mm.areaPerm(area)) === 0 && mm.handleMmFault(area, pageLo, pageHi, perm, lease))
    code = RESPONSE_SUCCESS;
  mm.readUnlock();
  mm.putUsers();
  return code;
}

/** Handles a group, oldest request first. The first that fails decides: the rest are skipped, the group gets one answer.
 * @param lease whether the pages stay until the device has accessed them ({@link AddressSpace.handleMmFault}). */
export function handleSvaGroup(system: IopfSystem, group: number, mm: AddressSpace, lease = false): ResponseCode {
  const { words } = system;
  const objects = system.requests.objects;
  const groupAt = objects + group * REQUEST_WORDS;
  let index = words[groupAt + GROUP_FAULTS];
  while (index !== 0) {
    const at = objects + index * REQUEST_WORDS;
    const code = handleOne(words, at, mm, lease);
    if (code !== RESPONSE_SUCCESS) return code;
    index = words[at + REQUEST_CHAIN];
  }
  return handleOne(words, groupAt, mm, lease);
}
