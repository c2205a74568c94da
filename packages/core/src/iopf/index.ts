export * from './mm.ts';
export * from './ops.ts';
export * from './record.ts';
