/** Words between two words with different writers: 128 bytes, as x86-64 prefetches 64-byte lines in pairs. */
export const LINE = 32;

/** Shared memory as 32-bit words. Word offsets, not byte offsets, travel between modules; offset 0 is nothing. */
export type Words = Int32Array<SharedArrayBuffer>;

/** Who is calling: handed to whatever records an owner, counts by thread, or may wait. */
export interface ThreadSelf {
  /** This thread's slot in the arena, from 1. Locks store it; split counters index by it. */
  readonly id: number;
  /** How often to look again before parking. 0 where more threads are busy than there are processors. */
  readonly spins: number;
}

/** Time in ticks of 100 ns since the system's epoch, as a wrapping i32: only differences mean something (up to 214 s). */
export type Clock = () => number;
export const TICK_NS = 100;
export const TICKS_PER_MS = 10_000;
