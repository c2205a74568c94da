export * from './fail-point.ts';
export * from './record-pool.ts';
export * from './u64.ts';
