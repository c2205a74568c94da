import type { Contents, Memories } from '../engine/placement.ts';

export interface LitmusTask {
  readonly url: string;
  readonly scenario: string;
  readonly design: string;
  readonly me: number;
  readonly memories: Memories;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly snapshot: Contents;
  readonly iterations: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface LitmusThreadEnd {
  /** The first thing that this thread saw broken. */
  readonly sample: string;
}
