import { type Clock, TICK_NS } from '@faultline/core/sync';

/** Nanoseconds of the machine's monotonic clock, the same on every thread. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

const TRIES = 8;

/** A clock in ticks since `epochNs`, without an allocation a call: performance.now() starts at another time on each thread, so
 * its distance to the machine's clock is measured first. Of several tries the tightest counts: a thread that loses its processor
 * between the two readings would be off by a time slice for good. */
export function clockOf(epochNs: bigint): Clock {
  const ticksPerMs = 1e6 / TICK_NS;
  let offsetMs = 0;
  let tightest = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES; tries++) {
    const before = nowNs();
    const here = performance.now();
    const width = Number(nowNs() - before);
    if (width >= tightest) continue;
    tightest = width;
    offsetMs = Number(before - epochNs + BigInt(width >> 1)) / 1e6 - here;
  }
  return () => ((performance.now() + offsetMs) * ticksPerMs) | 0;
}
