import type { SharedMemory } from '../scenario.ts';

export interface LitmusTask {
  readonly url: string;
  readonly scenario: string;
  readonly design: string;
  readonly me: number;
  readonly memory: SharedMemory;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly snapshot: Int32Array<SharedArrayBuffer>;
  readonly iterations: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface LitmusThreadEnd {
  /** The first thing that this thread saw broken. */
  readonly sample: string;
}
