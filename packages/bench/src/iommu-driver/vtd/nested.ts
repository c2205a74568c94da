// A guest's first stage on a parent's second. @see Linux drivers/iommu/intel/nested.c
import { IommuError } from '@faultline/core/errors';
import type { VtdFeatures } from '@faultline/hw/vtd';
import {
  type DriverData,
  type DriverEntries,
  HWPT_DATA_VTD_S1,
  HWPT_INVALIDATE_DATA_VTD_S1,
  HWPT_VTD_S1,
  HWPT_VTD_S1_INVALIDATE,
  VTD_INV_FLAGS_LEAF,
  VTD_S1_EAFE,
  VTD_S1_SRE,
} from '@faultline/iommufd';
import { forEachEntry, readData } from '../common/index.ts';

/** As the guest says it; the address is of its own memory. */
export interface FirstStage {
  readonly rootLo: number;
  readonly rootHi: number;
  /** VTD_S1_*. */
  readonly flags: number;
  readonly width: number;
}

/** What the kernel lets pass here it lets pass here, too: unknown flags and the reserved word are not looked at, and the low bits of the address
 * are the table's own. @throws IommuError EOPNOTSUPP type, EINVAL length, EFAULT */
export function readFirstStage(data: DriverData): FirstStage {
  const call = 'HWPT_ALLOC';
  if (data.type !== HWPT_DATA_VTD_S1) throw new IommuError('EOPNOTSUPP', call, 'data_type', data.type, 'is not VT-d’s');
  const { flags, pgtblAddr, addrWidth } = readData(call, HWPT_VTD_S1, data);
  return {
    rootLo: Number(pgtblAddr & 0xfffff000n) | 0,
    rootHi: Number(pgtblAddr >> 32n) | 0,
    flags: Number(flags & 0x7fffffffn),
    width: addrWidth,
  };
}

/** What the unit must offer is looked at when the domain is attached, as its device is only known then. @throws IommuError EINVAL */
export function checkFirstStage({ flags, width }: FirstStage, has: VtdFeatures): void {
  const need = (field: string, value: number, offered: boolean): void => {
    if (!offered) throw new IommuError('EINVAL', 'attach', field, value, 'the unit does not offer it');
  };
  need('addr_width', width, width === 48 || (width === 57 && has.addressBits === 57));
  need('flags', flags, (flags & VTD_S1_SRE) === 0 || has.supervisor);
  need('flags', flags, (flags & VTD_S1_EAFE) === 0 || has.extendedAccessed);
}

const EVERYTHING = 2n ** 64n - 1n;
const MAX_PAGE = 2 ** 52;

/** A range of a guest's addresses, in pages. */
export interface StaleRange {
  readonly page: number;
  /** Infinity: all of them. */
  readonly pages: number;
}

/** Tells `forget` of each range. @throws IommuError EINVAL type, length, address; EOPNOTSUPP flags, reserved; EFAULT */
export function readInvalidations(entries: DriverEntries, forget: (range: StaleRange) => void): void {
  const call = 'HWPT_INVALIDATE';
  const { reserved } = HWPT_VTD_S1_INVALIDATE.fields;
  forEachEntry(call, HWPT_VTD_S1_INVALIDATE, HWPT_INVALIDATE_DATA_VTD_S1, entries, ({ addr, npages, flags }, view) => {
    if ((flags & ~VTD_INV_FLAGS_LEAF) !== 0)
      throw new IommuError('EOPNOTSUPP', call, 'entry.flags', flags, 'has bits that are not known');
    if (view.getUint32(reserved[1], true) !== 0)
      throw new IommuError('EOPNOTSUPP', call, 'entry.reserved', view.getUint32(reserved[1], true), 'must be 0');
    if ((addr & 0xfffn) !== 0n) throw new IommuError('EINVAL', call, 'entry.addr', addr, 'is not aligned to a page');
    if (npages === EVERYTHING && addr !== 0n)
      throw new IommuError('EINVAL', call, 'entry.addr', addr, 'must be 0 where everything is meant');
    const page = Number(addr >> 12n);
    if (npages === EVERYTHING) forget({ page: 0, pages: Infinity });
    else if (npages > 0n) forget({ page, pages: Math.min(Number(npages), MAX_PAGE - page) });
  });
}
