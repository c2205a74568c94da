import {
  type AddressSpace,
  FAULT_PERM_EXEC,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core/iopf';

const ACCESS = FAULT_PERM_READ | FAULT_PERM_WRITE | FAULT_PERM_EXEC;

/** Makes a page present, as the SVA handler does. @returns what to answer. */
export function populate(
  mm: AddressSpace,
  pageLo: number,
  pageHi: number,
  perm: number,
): typeof RESPONSE_SUCCESS | typeof RESPONSE_INVALID {
  if (!mm.getUsers()) return RESPONSE_INVALID;
  mm.readLock();
  const area = mm.findArea(pageLo, pageHi);
  const allowed = area !== 0 && (perm & ACCESS & ~mm.areaPerm(area)) === 0;
  const present = allowed && mm.handleMmFault(area, pageLo, pageHi, perm);
  mm.readUnlock();
  mm.putUsers();
  return present ? RESPONSE_SUCCESS : RESPONSE_INVALID;
}
