import type { SharedLab } from '../testing/lab.ts';

/** Word of `signals`: threads that have done their part. */
export const ENDED = 0;

export interface AccessRace {
  readonly shared: SharedLab;
  readonly context: number;
  readonly access: number;
  readonly ioas: readonly [number, number];
  readonly userVa: bigint;
  readonly id: number;
  readonly role: 'map' | 'pin' | 'move';
  /** Calls that must succeed, at least. */
  readonly rounds: number;
  readonly signals: Int32Array;
}
