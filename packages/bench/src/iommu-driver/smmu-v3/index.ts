export * from './driver.ts';
export * from './events.ts';
export * from './hardware.ts';
export * from './region.ts';
