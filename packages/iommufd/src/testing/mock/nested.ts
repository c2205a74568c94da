// Nested domains of the mock: a guest's page tables of which only a translation cache of four entries is there, to be seen forgetting.
import { IommuError } from '@faultline/core/errors';
import type { DriverData, DriverEntries } from '../../driver/index.ts';
import { MOCK_CACHE_ENTRIES, MOCK_HWPT_DATA_TYPE, MOCK_INVALIDATE_ALL, MOCK_INVALIDATE_TYPE } from './constants.ts';

const DATA_BYTES = 8;
const DATA_MIN_BYTES = 4;
const ENTRY_BYTES = 8;

/** What a caller says of a domain of the mock: {iotlb, pagetable_type}. */
export interface MockHwptData {
  /** What the entries of a nested domain's cache start as. */
  readonly iotlb: number;
  /** MOCK_PAGE_TABLE_*: of a paging domain. */
  readonly pageTable: number;
}

/** @param unknownType what another type is refused with. @throws IommuError unknownType, EINVAL length, EFAULT */
export function readHwptData(data: DriverData, unknownType: 'EINVAL' | 'EOPNOTSUPP'): MockHwptData {
  const call = 'HWPT_ALLOC';
  if (data.type !== MOCK_HWPT_DATA_TYPE)
    throw new IommuError(unknownType, call, 'data_type', data.type, 'is not the type of the mock');
  if (data.length < DATA_MIN_BYTES || data.length > DATA_BYTES)
    throw new IommuError('EINVAL', call, 'data_len', data.length, `must be from ${DATA_MIN_BYTES} to ${DATA_BYTES}`);
  const bytes = new Uint8Array(DATA_BYTES);
  data.read(bytes);
  const view = new DataView(bytes.buffer);
  return { iotlb: view.getUint32(0, true), pageTable: view.getUint32(4, true) };
}

/** Forgets entries of a cache, in order up to the first bad one. @param forget takes the number of one.
 * @throws IommuError EINVAL type, entry length, entry number; EOPNOTSUPP flags; EFAULT */
export function invalidateCache(entries: DriverEntries, forget: (entry: number) => void): void {
  const call = 'HWPT_INVALIDATE';
  if (entries.type !== MOCK_INVALIDATE_TYPE)
    throw new IommuError('EINVAL', call, 'data_type', entries.type, 'is not the type of the mock');
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < entries.count; index++) {
    if (entries.entryBytes !== ENTRY_BYTES)
      throw new IommuError('EINVAL', call, 'entry_len', entries.entryBytes, `must be ${ENTRY_BYTES}`);
    entries.read(index, bytes);
    const flags = view.getUint32(0, true);
    const entry = view.getUint32(4, true);
    if ((flags & ~MOCK_INVALIDATE_ALL) !== 0)
      throw new IommuError('EOPNOTSUPP', call, 'entry.flags', flags, 'has bits that are not known');
    if (entry >= MOCK_CACHE_ENTRIES)
      throw new IommuError('EINVAL', call, 'entry.iotlb_id', entry, `must be below ${MOCK_CACHE_ENTRIES}`);
    if ((flags & MOCK_INVALIDATE_ALL) === 0) forget(entry);
    else for (let each = 0; each < MOCK_CACHE_ENTRIES; each++) forget(each);
    entries.done(index + 1);
  }
}
