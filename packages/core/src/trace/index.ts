export * from './histogram.ts';
