export * from './histogram.ts';
export * from './trace-ring.ts';
