export * from './driver.ts';
export * from './layout.ts';
export * from './region.ts';
