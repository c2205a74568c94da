export * from './constants.ts';
export * from './driver.ts';
export * from './layout.ts';
export * from './page-map.ts';
export * from './region.ts';
export * from './trigger.ts';
