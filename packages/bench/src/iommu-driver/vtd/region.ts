import type { Arena, RegionSpec } from '@faultline/core/memory';
import { initVtd, type VtdConfig, vtdWords } from '@faultline/hw/vtd';
import { type DriverSizes, driverRegions, initDriverRegions, requestersRegion } from '../common/index.ts';
import { VTD_UNIT_REGION } from './layout.ts';

export interface VtdDriverSizes extends DriverSizes {
  /** Highest number of a device. */
  readonly devices: number;
  readonly unit: VtdConfig;
}

/** Regions of a unit and its driver. @throws IommuError EINVAL naming the field. */
export function vtdDriverRegions(sizes: VtdDriverSizes): RegionSpec[] {
  return [
    ...driverRegions(sizes),
    { name: VTD_UNIT_REGION, words: vtdWords(sizes.unit) },
    requestersRegion(sizes.devices),
  ];
}

/** Lays them out over zeroed words: the unit is off, there is no device. */
export function initVtdDriver(arena: Arena, sizes: VtdDriverSizes): void {
  initDriverRegions(arena, sizes);
  initVtd(arena.words, arena.base(VTD_UNIT_REGION), sizes.unit);
}
