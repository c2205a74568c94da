// Where user space owns a device's PASID table, a PASID has no attachment of its own: its faults go to the nested domain of the device
// itself. The driver looks that up before it reports, and says so by a flag in place of PASID_VALID; the record keeps the PASID.
// @see Linux drivers/iommu/io-pgfault.c find_fault_handler(), struct iommu_ops user_pasid_table
import { FAULT_FLAG_PASID_VALID } from '@faultline/core/iopf';

/** In a record's FLAGS: its PASID is one of a table that user space owns. */
export const FAULT_FLAG_USER_PASID: number = 1 << 30;

/** A record's flags as user space reads them. */
export function userFaultFlags(flags: number): number {
  return (flags & FAULT_FLAG_USER_PASID) === 0 ? flags : (flags & ~FAULT_FLAG_USER_PASID) | FAULT_FLAG_PASID_VALID;
}
