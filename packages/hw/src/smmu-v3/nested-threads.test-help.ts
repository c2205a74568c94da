// What nested.threads.test.ts and its threads share.
import type { SharedArena } from '@faultline/core/memory';

export interface NestedTask {
  readonly role: 'device' | 'hardware' | 'interrupt' | 'attach' | 'guest';
  readonly id: number;
  readonly shared: SharedArena;
  readonly rounds: number;
  readonly deadlineMs: number;
}

export interface NestedOutcome {
  readonly role: NestedTask['role'];
  readonly counts: Record<string, number>;
  readonly wrong: readonly string[];
}

/** Device, and its stream. */
export const SID = 1;
/** By vSMMU: what the guest calls the device, its VMID. */
export const nameIn = (vsmmu: number): number => vsmmu * 100;
export const vmidOf = (vsmmu: number): number => 10 + vsmmu;

/** Words of region 'control': who is to stop. */
export const STOP = { work: 0, hardware: 1, interrupt: 2 };
