export * from './fault-queue/index.ts';
