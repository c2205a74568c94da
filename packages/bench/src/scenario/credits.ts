/** Share of the time-out in which faults that are outstanding together should be answered: the rest is for other work on the
 * processors, for a cost that grows, and for a second round where a page was lost. */
const SHARE = 1 / 4;

/** @returns faults that are answered well within the time-out, at what a fault was measured to cost. */
export function creditsWithin(timeoutMs: number, costNsPerFault: number): number {
  return Math.max(1, Math.floor((timeoutMs * 1e6 * SHARE) / costNsPerFault));
}
