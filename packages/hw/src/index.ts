export * from './accelerator/index.ts';
export * from './mm/index.ts';
export * from './queue/index.ts';
export * from './smmu-v3/index.ts';
