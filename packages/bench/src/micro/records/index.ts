import { amdRecords } from './amd.ts';
import type { QueueRecord } from './record.ts';
import { smmuRecords } from './smmu-v3.ts';
import { vtdRecords } from './vtd.ts';

/** The records that are measured, a family after the other. */
export const RECORDS: readonly QueueRecord[] = [...smmuRecords, ...vtdRecords, ...amdRecords];
