// What a caller hands to a driver: bytes at an address, not looked at before the driver asks.
import { IommuError } from '@faultline/core/errors';
import type { Caller } from '../caller/index.ts';
import type { DriverData } from './driver.ts';

/** @throws nothing by itself: reading and writing do, EFAULT. */
export function userData(caller: Caller, call: string, type: number, length: number, address: bigint): DriverData {
  const refuse = (): never => {
    throw new IommuError('EFAULT', call, 'data_uptr', address, `${length} bytes cannot be reached`);
  };
  return {
    type,
    length,
    read(into) {
      if (!caller.memory.read(address, into.subarray(0, Math.min(into.length, length)))) refuse();
    },
    write(from) {
      if (!caller.memory.write(address, from.subarray(0, Math.min(from.length, length)))) refuse();
    },
  };
}
