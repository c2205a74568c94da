// The fixture iommufd_ioas: an IOAS, and so many devices on it.

import { MOCK_DEV_PASID } from '../testing/mock/index.ts';
import { TEST_SET_TEMP_MEMORY_LIMIT } from '../testing/test-commands/index.ts';
import { APERTURE, ioasAlloc, type MockDomain, mockDomain } from './actions.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, PAGE, System } from './system.test-help.ts';

export interface IoasVariant {
  readonly devices: number;
  readonly limit?: number;
}

export const IOAS_VARIANTS: readonly (readonly [string, IoasVariant])[] = variants<IoasVariant>('iommufd_ioas', {
  no_domain: { devices: 0 },
  mock_domain: { devices: 1 },
  two_mock_domain: { devices: 2 },
  mock_domain_limit: { devices: 1, limit: 16 },
});

export const BUFFER: number = 16 * PAGE;

export interface IoasFixture {
  readonly system: System;
  readonly device: Device;
  readonly ioas: number;
  /** The last device made; ids 0 where there is none. */
  readonly mock: MockDomain;
  /** Sixteen pages of the process's. */
  readonly buffer: bigint;
  readonly base: bigint;
}

export function ioasFixture({ devices, limit }: IoasVariant): IoasFixture {
  const system = new System();
  const device = system.process.open();
  const ioas = ioasAlloc(device);
  if (limit !== undefined) device.call(TEST_SET_TEMP_MEMORY_LIMIT, { limit });
  let mock: MockDomain = { stdev: 0, hwpt: 0, idev: 0 };
  for (let i = 0; i < devices; i++) mock = mockDomain(device, ioas, MOCK_DEV_PASID);
  const buffer = system.process.memory.mmap(BUFFER, { huge: true }); // aligned to its length
  return { system, device, ioas, mock, buffer, base: devices === 0 ? 0n : APERTURE };
}
