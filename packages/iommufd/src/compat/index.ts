export { compatIoasId } from './compat-ioas.ts';
export * from './constants.ts';
export { vfioIoctl } from './vfio.ts';
