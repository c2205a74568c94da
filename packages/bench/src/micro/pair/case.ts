import type { MessagePort } from 'node:worker_threads';
import { LINE, type Words } from '@faultline/core';

/** What one side of a pair works with. `items` is how many go through in this round; `port` leads to the other side. */
export interface Bench {
  readonly words: Words;
  readonly base: number;
  readonly items: number;
  readonly port: MessagePort;
}

/** One side's loop, whole, so that it is warmed up whole. The second side's return is checked against {@link PairCase.check}. */
export type Side = (bench: Bench) => number | Promise<number>;

/** Something that two threads do together. Its name tells it from all others. */
export interface PairCase {
  readonly name: string;
  /** Items that go one way, or round trips. */
  readonly kind: 'throughput' | 'round trip';
  /** For what a user would otherwise take: the case of ours that it stands beside. */
  readonly peerOf?: string;
  /** Shared words beside {@link CONTROL_WORDS}. */
  readonly words: number;
  init?(words: Words, base: number): void;
  readonly sides: readonly [Side, Side];
  /** What the second side returns for so many items, if all came. */
  check(items: number): number;
}

// The harness's own words. ROUND, ITEMS and STOP: the main thread's; ARRIVED: both sides'.
export const ROUND: number = LINE;
export const ITEMS: number = LINE + 1;
export const STOP: number = LINE + 2;
export const ARRIVED: number = 2 * LINE;
export const NEVER: number = 3 * LINE; // always 0
export const STRUCTURE: number = 4 * LINE;

/** How often a side looks for the other before it gives up the processor, which the other may need. */
export const LOOKS = 4096;

/** Gives up the processor for a moment: the other side seems not to be running. @returns 0, for the count of looks. */
export function standBy(words: Words): number {
  Atomics.wait(words, NEVER, 0, 0.05);
  return 0;
}
