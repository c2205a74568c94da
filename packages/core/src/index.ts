export * from './actor/index.ts';
export * from './errors/index.ts';
export * from './iopf/index.ts';
export * from './memory/index.ts';
export * from './ring/index.ts';
export * from './sync/index.ts';
export * from './trace/index.ts';
export * from './xarray/index.ts';
