export { AmdIommufdDriver, type AmdIommufdDriverConfig } from './driver.ts';
export { AMD_UNIT_REGION } from './layout.ts';
export { amdDriverRegions, initAmdDriver } from './region.ts';
