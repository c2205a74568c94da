import type { FileTable } from '../files/file-table.ts';
import type { UserMemory } from './user-memory.ts';

/** Who makes a call: a process. */
export interface Caller {
  /** Number of its memory: what is mapped stays its own, whichever thread or process unmaps it. See `Machine.memoryOf`. */
  readonly mm: number;
  readonly memory: UserMemory;
  /** Its descriptors. */
  readonly files: FileTable;
  /** CAP_SYS_RESOURCE and CAP_IPC_LOCK. */
  readonly privileged: boolean;
}
