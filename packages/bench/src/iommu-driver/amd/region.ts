import type { Arena, RegionSpec } from '@faultline/core/memory';
import { type AmdConfig, amdWords, initAmd } from '@faultline/hw/amd';
import { type DriverSizes, driverRegions, initDriverRegions, requestersRegion } from '../common/index.ts';
import { AMD_UNIT_REGION } from './layout.ts';

export interface AmdDriverSizes extends DriverSizes {
  /** Highest number of a device. */
  readonly devices: number;
  readonly unit: AmdConfig;
}

/** Regions of an IOMMU and its driver. @throws IommuError EINVAL naming the field. */
export function amdDriverRegions(sizes: AmdDriverSizes): RegionSpec[] {
  return [
    ...driverRegions(sizes),
    { name: AMD_UNIT_REGION, words: amdWords(sizes.unit) },
    requestersRegion(sizes.devices),
  ];
}

/** Lays them out over zeroed words: the IOMMU is off, there is no device. */
export function initAmdDriver(arena: Arena, sizes: AmdDriverSizes): void {
  initDriverRegions(arena, sizes);
  initAmd(arena.words, arena.base(AMD_UNIT_REGION), sizes.unit);
}
