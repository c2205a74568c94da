export { OpenEventFile } from './event-file.ts';
export type { EventReadable, EventReadableOptions } from './event-readable.ts';
export type { FaultDuplex, FaultDuplexOptions } from './fault-duplex.ts';
export { OpenFaultFile } from './fault-file.ts';
export type { FaultGroup } from './fault-group.ts';
export type { WaitOptions } from './open-file.ts';
