export { autoRespond, type Whose } from './auto-respond.ts';
export { Delivery } from './delivery.ts';
export type { FaultCursor } from './fault-cursor.ts';
export { type AnswerParts, FaultQueue, type FaultQueueParts, refusal } from './fault-queue.ts';
export { FaultSink, type FaultSinkParts, reportsNothing } from './fault-sink.ts';
export { GroupKeyTable, groupKeyTableWords } from './group-key-table.ts';
export type { GroupKeys } from './group-keys.ts';
export { type FaultQueueConfig, faultQueueWords, faultRoutesWords, initFaultQueue } from './layout.ts';
export { routeDomain, unrouteDomain } from './routes.ts';
