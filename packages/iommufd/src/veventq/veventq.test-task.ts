import type { Words } from '@faultline/core/sync';
import type { SharedLab } from '../testing/lab.ts';

export interface Task {
  readonly shared: SharedLab;
  /** Two words: 1 once all is reported; threads that have come. */
  readonly signs: Words;
  /** How many come before any begins. */
  readonly threads: number;
  readonly role: 'reporter' | 'reader' | 'destroyer' | 'unbinder';
  /** Thread, from 1. */
  readonly id: number;
  /** Number of the context. */
  readonly context: number;
  readonly rounds: number;
  /** Reporter: device, by the driver's number. */
  readonly device: number;
  /** Unbinder: device, by its id. */
  readonly devId: number;
  /** Destroyer: the vIOMMU whose queue it is. */
  readonly viommuId: number;
  /** Reader: the queue, what its events say, and a page of its own. */
  readonly body: number;
  readonly virtId: number;
  readonly buffer: bigint;
}

export interface Report {
  reported: number;
  /** There was no queue. */
  unheard: number;
  /** Numbers of events, and of lost headers. */
  readonly seen: number[];
  readonly lost: number[];
  /** Reads whose copy failed. */
  failed: number;
  /** Queues made and ended. */
  made: number;
}
