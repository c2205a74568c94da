export * from './constants.ts';
export * from './domain-pages.ts';
export * from './driver.ts';
export * from './layout.ts';
export * from './nested.ts';
export * from './page-map.ts';
export * from './region.ts';
export * from './trigger.ts';
