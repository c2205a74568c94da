import { type Clock, TICK_NS } from '@faultline/core/sync';

/** Nanoseconds of the machine's monotonic clock, the same on every thread. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

/** A clock in ticks since `epochNs`, without an allocation a call: performance.now() starts at another time on each thread, so
 * its distance to the machine's clock is measured once. */
export function clockOf(epochNs: bigint): Clock {
  const ticksPerMs = 1e6 / TICK_NS;
  const offsetMs = Number(nowNs() - epochNs) / 1e6 - performance.now();
  return () => ((performance.now() + offsetMs) * ticksPerMs) | 0;
}
