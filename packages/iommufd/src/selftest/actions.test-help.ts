// What the tests do again and again.
import { expect } from 'vitest';
import {
  TEST_ADD_RESERVED,
  TEST_CREATE_ACCESS,
  TEST_MD_CHECK_MAP,
  TEST_MD_CHECK_REFS,
  TEST_MOCK_DOMAIN,
  TEST_MOCK_DOMAIN_FLAGS,
  TEST_MOCK_DOMAIN_REPLACE,
} from '../testing/test-commands/index.ts';
import {
  type Args,
  DESTROY,
  HWPT_ALLOC,
  IOAS_ALLOC,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
} from '../uapi/index.ts';
import type { Device } from './system.test-help.ts';

export const RW: number = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
export const FIXED: number = RW | IOAS_MAP_FIXED_IOVA;
export const APERTURE: bigint = 1n << 24n;
export const APERTURE_LAST: bigint = (1n << 31n) - 1n;

export function ioasAlloc(device: Device): number {
  return device.call(IOAS_ALLOC).outIoasId;
}
export function destroy(device: Device, id: number): void {
  device.call(DESTROY, { id });
}
export function destroyErrno(device: Device, id: number): string {
  return device.errno(DESTROY, { id });
}

export interface MockDomain {
  readonly stdev: number;
  readonly hwpt: number;
  readonly idev: number;
}
export function mockDomain(device: Device, id: number, devFlags: number = 0): MockDomain {
  const out = device.call(TEST_MOCK_DOMAIN_FLAGS, { id, devFlags });
  return { stdev: out.outStdevId, hwpt: out.outHwptId, idev: out.outIdevId };
}
export function mockDomainErrno(device: Device, id: number): string {
  return device.errno(TEST_MOCK_DOMAIN, { id });
}
/** @returns the HWPT that it has then. */
export function replace(device: Device, stdev: number, ptId: number): number {
  return device.call(TEST_MOCK_DOMAIN_REPLACE, { id: stdev, ptId }).ptId;
}
export function replaceErrno(device: Device, stdev: number, ptId: number): string {
  return device.errno(TEST_MOCK_DOMAIN_REPLACE, { id: stdev, ptId });
}

export function mapFixed(device: Device, ioasId: number, userVa: bigint, length: number, iova: bigint): void {
  device.call(IOAS_MAP, { flags: FIXED, ioasId, userVa, length: BigInt(length), iova });
}
export function mapFixedErrno(device: Device, ioasId: number, userVa: bigint, length: number, iova: bigint): string {
  return device.errno(IOAS_MAP, { flags: FIXED, ioasId, userVa, length: BigInt(length), iova });
}
/** @returns the IOVA. */
export function map(device: Device, ioasId: number, userVa: bigint, length: number, flags: number = RW): bigint {
  return device.call(IOAS_MAP, { flags, ioasId, userVa, length: BigInt(length) }).iova;
}
export function mapErrno(device: Device, ioasId: number, userVa: bigint, length: number): string {
  return device.errno(IOAS_MAP, { flags: RW, ioasId, userVa, length: BigInt(length) });
}
/** @returns bytes. */
export function unmap(device: Device, ioasId: number, iova: bigint, length: bigint | number): bigint {
  return device.call(IOAS_UNMAP, { ioasId, iova, length: BigInt(length) }).length;
}
export function unmapErrno(device: Device, ioasId: number, iova: bigint, length: bigint | number): string {
  return device.errno(IOAS_UNMAP, { ioasId, iova, length: BigInt(length) });
}

export function hwptAlloc(device: Device, args: Partial<Args<typeof HWPT_ALLOC>>): number {
  return device.call(HWPT_ALLOC, args).outHwptId;
}

export function reserve(device: Device, id: number, start: bigint, length: bigint): string {
  return device.errno(TEST_ADD_RESERVED, { id, start, length });
}

/** @returns its descriptor. */
export function createAccess(device: Device, id: number, flags: number = 0): number {
  return device.call(TEST_CREATE_ACCESS, { id, flags }).outAccessFd;
}

/** A device of the HWPT reaches the process's memory there. */
export function expectMapped(device: Device, hwpt: number, iova: bigint, uptr: bigint, length: number): void {
  device.call(TEST_MD_CHECK_MAP, { id: hwpt, iova, uptr, length: BigInt(length) });
}
/** Each page is pinned so often. */
export function expectPins(device: Device, uptr: bigint, length: number, refs: number): void {
  expect(device.errno(TEST_MD_CHECK_REFS, { uptr, length: BigInt(length), refs })).toBe('');
}
