import { LINE, type ThreadSelf, type Words } from '@faultline/core';

/** One operation whose single-thread cost is measured. */
export interface Cost {
  readonly name: string;
  /** Operations that one `run` makes: enough that the loop and the clock around them vanish. */
  readonly operations: number;
  readonly run: () => void;
  /** Readies what `run` uses up, unmeasured, before each. */
  readonly before?: () => void;
}

/** What belongs together: one file, one part of the table. Made right before it is measured, and dropped after. */
export interface Subject {
  readonly name: string;
  readonly costs: () => Cost[];
}

/** Operations a run, where nothing else asks for another number. */
export const OPERATIONS = 4096;

/** The thread that measures. It never waits for another, so it need not spin. */
export const SELF: ThreadSelf = { id: 1, spins: 0 };

/** Zeroed shared words for one structure, and where it may begin. */
export function wordsFor(structureWords: number): { words: Words; base: number } {
  return { words: new Int32Array(new SharedArrayBuffer((LINE + structureWords) * 4)), base: LINE };
}
