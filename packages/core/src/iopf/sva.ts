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

/** Makes one page present for a device's access. Takes the mmap lock.
 * @param lease whether it stays until the device has accessed it ({@link AddressSpace.handleMmFault}).
 * @returns what to answer: Invalid where the address space is going away, has nothing there, or grants less; or the page cannot be had.
 * @see Linux drivers/iommu/iommu-sva.c iommu_sva_handle_mm() */
export function makePresent(
  mm: AddressSpace,
  pageLo: number,
  pageHi: number,
  perm: number,
  lease: boolean,
): typeof RESPONSE_SUCCESS | typeof RESPONSE_INVALID {
  if (!mm.getUsers()) return RESPONSE_INVALID;
  mm.readLock();
  const area = mm.findArea(pageLo, pageHi);
  const isGranted = area !== 0 && (perm & ACCESS & ~mm.areaPerm(area)) === 0;
  const isPresent = isGranted && mm.handleMmFault(area, pageLo, pageHi, perm, lease);
  mm.readUnlock();
  mm.putUsers();
  return isPresent ? RESPONSE_SUCCESS : RESPONSE_INVALID;
}

/** A request without a PASID is for no address space. */
function handleOne(words: Int32Array, at: number, mm: AddressSpace, lease: boolean): ResponseCode {
  if ((words[at + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) === 0) return RESPONSE_INVALID;
  const pageHi = words[at + FAULT_PAGE_HI] & FAULT_PAGE_HI_MASK;
  return makePresent(mm, words[at + FAULT_PAGE_LO], pageHi, words[at + FAULT_PERM], lease);
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
