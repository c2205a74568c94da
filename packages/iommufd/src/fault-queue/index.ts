export { FaultConsumer } from './fault-consumer.ts';
export type { FaultCursor } from './fault-cursor.ts';
export { type AnswerParts, FaultQueue, type FaultQueueParts } from './fault-queue.ts';
export { GroupRouter, reportsNothing } from './group-router.ts';
export { type FaultQueueConfig, faultQueueWords, initFaultQueue } from './layout.ts';
