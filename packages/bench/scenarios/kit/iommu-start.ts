// What the schedules of iommufd's scenarios start from, made by the calls that a VMM makes. Ids are given out lowest first, so they are
// known.
import type { IommuThread } from './iommu-machine.ts';
import {
  attachDevice,
  bindDevice,
  faultQueueAlloc,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_FAULT_ID_VALID,
  hwptAlloc,
  ioasAlloc,
  viommuAlloc,
} from './iommufd.ts';
import { STILL_VIOMMU } from './still-driver.ts';

/** Ids of {@link makeFaulting}'s objects. */
export const DEVICE = 1;
export const IOAS = 2;
export const FAULT = 3;
export const HWPT = 4;
/** Of what is made next. */
export const NEXT_ID = 5;
/** The fault file's descriptor. */
export const FAULT_FD = 3;

/** Device 1 is bound; an IOAS, a fault queue, and an HWPT that faults go through are there. */
export function makeFaulting({ context, call }: IommuThread): void {
  expectId(DEVICE, bindDevice(context, 1));
  expectId(IOAS, call(ioasAlloc, {}).outIoasId);
  expectId(FAULT, call(faultQueueAlloc, {}).outFaultId);
  const flags = HWPT_FAULT_ID_VALID;
  expectId(HWPT, call(hwptAlloc, { flags, devId: DEVICE, ptId: IOAS, faultId: FAULT }).outHwptId);
}

/** And the device is attached to it. */
export function makeAttached(first: IommuThread): void {
  makeFaulting(first);
  attachDevice(first.context, DEVICE, { ptId: HWPT });
}

/** Device 1 is bound; a nesting parent and a vIOMMU on it are there, objects 3 and 4. */
export function makeViommu({ context, call }: IommuThread): void {
  expectId(DEVICE, bindDevice(context, 1));
  expectId(IOAS, call(ioasAlloc, {}).outIoasId);
  const hwptId = call(hwptAlloc, { flags: HWPT_ALLOC_NEST_PARENT, devId: DEVICE, ptId: IOAS }).outHwptId;
  expectId(VIOMMU, call(viommuAlloc, { type: STILL_VIOMMU, devId: DEVICE, hwptId }).outViommuId);
}
export const VIOMMU = 4;

function expectId(expected: number, id: number | bigint): void {
  if (id !== expected) throw new Error(`setup: an object got id ${id}, not ${expected}`);
}
