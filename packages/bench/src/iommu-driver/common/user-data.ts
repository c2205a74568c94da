// How a driver looks at what user space gave it. @see Linux include/linux/iommu.h, iommu_copy_struct_from_user() and its siblings
import { IommuError } from '@faultline/core/errors';
import { type Args, type DataStruct, type DriverData, type DriverEntries, decodeStruct } from '@faultline/iommufd';

/** Decodes a struct. The caller has looked at the type. @throws IommuError EINVAL length; EFAULT */
export function readData<S extends DataStruct>(call: string, struct: S, data: DriverData): Args<S> {
  if (data.length < struct.minBytes || data.length > struct.bytes)
    throw new IommuError('EINVAL', call, 'data_len', data.length, lengthRule(struct));
  const bytes = new Uint8Array(struct.bytes);
  data.read(bytes);
  return decodeStruct(struct, new DataView(bytes.buffer));
}

/** Handles entries in order up to the first bad one, and says how many were done. @throws IommuError EINVAL type, length; EFAULT; and what
 * `handle` throws. */
export function forEachEntry<S extends DataStruct>(
  call: string,
  struct: S,
  type: number,
  entries: DriverEntries,
  handle: (entry: Args<S>, view: DataView) => void,
): void {
  if (entries.type !== type)
    throw new IommuError('EINVAL', call, 'data_type', entries.type, `is not that of ${struct.name}`);
  if (entries.count > 0 && (entries.entryBytes < struct.minBytes || entries.entryBytes > struct.bytes))
    throw new IommuError('EINVAL', call, 'entry_len', entries.entryBytes, lengthRule(struct));
  const bytes = new Uint8Array(struct.bytes);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < entries.count; index++) {
    entries.read(index, bytes);
    handle(decodeStruct(struct, view), view);
    entries.done(index + 1);
  }
}

function lengthRule({ name, minBytes, bytes }: DataStruct): string {
  return minBytes === bytes ? `${name} has ${bytes}` : `${name} has ${minBytes} to ${bytes}`;
}
