// Figures and names as the document writes them.
import { SUSPECTS, type Suspect } from '../../model/index.ts';
import { formatPercent, signed } from '../../report/format.ts';
import type { Candidate } from '../adaptive.ts';
import type { Interval } from '../interval.ts';
import { type Knee, showKnee } from '../knee.ts';
import { isHealthy, isInTime, type Outcome } from '../outcome.ts';
import type { Length } from '../plan.ts';
import type { VerdictResult } from '../result.ts';
import type { Removal } from '../suspects.ts';

export const SUSPECT_WORDS: Readonly<Record<Suspect, string>> = {
  scanner: 'page scanner',
  sharedProcessors: 'shared processors',
  activeLimit: 'active limit',
  oneInterruptThread: 'one interrupt thread',
  locksAndSearch: 'locks and search',
  mmapLock: 'mmap lock',
  invalidations: 'invalidations',
};

export function removedWords(removed: readonly Suspect[]): string {
  return removed.length === 0 ? 'nothing' : removed.map((name) => SUSPECT_WORDS[name]).join(' + ');
}

/** e.g. `6 s, or 20 turns of each thread`. */
export function showLength({ leastSeconds, turns }: Length): string {
  return `at least ${leastSeconds} s of virtual time, and long enough for ${turns} jobs of each thread`;
}

export function removalText(name: Suspect): string {
  return SUSPECTS[name].text;
}

/** `−1.2 % (−1.5 … −0.9)`. */
export function showRelative({ mean, low, high }: Interval): string {
  return low === high ? formatPercent(mean) : `${formatPercent(mean)} (${signed(low)} … ${signed(high)})`;
}

export function showShare(share: number): string {
  return share === 0 ? '0' : share < 0.0005 ? '< 0.001' : share.toFixed(3);
}

/** What is the matter with a cell, in a word. */
export function showState(outcome: Outcome): string {
  if (!isInTime(outcome)) return 'time-outs';
  return isHealthy(outcome) ? 'well' : 'loop';
}

export function kneeWords(knee: Knee, { plan }: Pick<VerdictResult, 'plan'>): string {
  return showKnee(knee, plan.grid);
}

/** How many times as far a knee lies; the grid may end before it. */
export function showMove(knee: Knee, from: Knee): string {
  if (knee.threads === 0 || from.threads === 0) return '–';
  const ratio = knee.threads / from.threads;
  return `${knee.isBeyond ? '≥ ' : ''}× ${Number(ratio.toPrecision(2))}`;
}

export function basesOf(result: VerdictResult): readonly Removal[] {
  return result.removals.filter(({ removed }) => removed.length === 0);
}

/** A switch as the document calls it. */
export function candidateWords({ name, isCore }: Pick<Candidate, 'name' | 'isCore'>): string {
  return isCore ? 'pages leased until used: `adaptive` as simulated here' : name;
}

/** `a, b and c`. */
export function andList(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;
}
