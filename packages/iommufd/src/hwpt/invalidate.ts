// HWPT_INVALIDATE: what a guest asks to be forgotten, of a nested HWPT or a vIOMMU. @see Linux drivers/iommu/iommufd/hw_pagetable.c
import { IommuError } from '@faultline/core/errors';
import { type Caller, PAGE_BYTES } from '../caller/index.ts';
import type { Command } from '../context/index.ts';
import type { DriverEntries } from '../driver/index.ts';
import { HWPT_DOMAIN, VIOMMU_NUMBER } from '../objects/index.ts';
import { type Args, HWPT_INVALIDATE, OBJ_HWPT_NESTED, OBJ_VIOMMU } from '../uapi/index.ts';

import { virtualDevices } from '../viommu/index.ts';

const CALL = 'HWPT_INVALIDATE';
const MAX_ENTRIES = 2 ** 19;

/** Entries are handled in order, up to the first bad one. `entry_num` says how many, whatever the result. */
export const hwptInvalidate: Command<typeof HWPT_INVALIDATE> = {
  struct: HWPT_INVALIDATE,
  alwaysResponds: true,
  run(context, { args, caller }) {
    const { machine, objects, words } = context;
    const count = args.entryNum;
    args.entryNum = 0;
    checkEntries(args, count);
    const object = objects.get(CALL, 'hwpt_id', args.hwptId);
    try {
      const type = objects.typeOf(object);
      const entries = entriesOf(args, count, caller);
      if (type === OBJ_HWPT_NESTED) machine.driver.invalidateDomain(words[objects.at(object) + HWPT_DOMAIN], entries);
      else if (type === OBJ_VIOMMU) {
        const devices = virtualDevices(context, object);
        machine.driver.invalidateViommu(words[objects.at(object) + VIOMMU_NUMBER], entries, devices);
      } else throw new IommuError('EINVAL', CALL, 'hwpt_id', args.hwptId, 'is no nested HWPT and no vIOMMU');
    } finally {
      objects.put(object);
    }
  },
};

function checkEntries({ dataUptr, entryLen }: Args<typeof HWPT_INVALIDATE>, count: number): void {
  if (count === 0) return; // a probe for data_type
  if (dataUptr === 0n) throw new IommuError('EINVAL', CALL, 'data_uptr', dataUptr, 'must point to the entries');
  if (entryLen === 0 || entryLen > PAGE_BYTES)
    throw new IommuError('EINVAL', CALL, 'entry_len', entryLen, `must be from 1 to ${PAGE_BYTES}`);
  if (count > MAX_ENTRIES) throw new IommuError('EINVAL', CALL, 'entry_num', count, `must be at most ${MAX_ENTRIES}`);
}

function entriesOf(args: Args<typeof HWPT_INVALIDATE>, count: number, caller: Caller): DriverEntries {
  const { dataUptr, entryLen, dataType } = args;
  return {
    type: dataType,
    entryBytes: entryLen,
    count,
    read(index, into) {
      const at = dataUptr + BigInt(index * entryLen);
      const known = into.subarray(0, Math.min(into.length, entryLen));
      into.fill(0);
      if (!caller.memory.read(at, known))
        throw new IommuError('EFAULT', CALL, 'data_uptr', at, `entry ${index} cannot be read`);
      if (entryLen <= into.length) return;
      const tail = new Uint8Array(entryLen - into.length);
      if (!caller.memory.read(at + BigInt(into.length), tail))
        throw new IommuError('EFAULT', CALL, 'data_uptr', at, `entry ${index} cannot be read`);
      if (tail.some((byte) => byte !== 0))
        throw new IommuError(
          'E2BIG',
          CALL,
          'entry_len',
          entryLen,
          `only ${into.length} bytes are known, and the rest is not 0`,
        );
    },
    done(handled) {
      args.entryNum = handled;
    },
  };
}
