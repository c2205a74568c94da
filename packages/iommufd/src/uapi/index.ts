export * from './constants.ts';
export * from './drivers/amd.ts';
export * from './drivers/smmu-v3.ts';
export * from './drivers/vtd.ts';
export * from './records.ts';
export * from './struct.ts';
export * from './structs.ts';
