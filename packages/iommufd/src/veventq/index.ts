export { endVeventq, veventqAlloc } from './alloc.ts';
export { EventQueue, type TakenEvent } from './event-queue.ts';
export { reportEvent } from './report.ts';
