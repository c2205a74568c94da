// What is said in the end, each as a predicate over results: the sweep asks it again at every point, and the document says what came of it.
import { SUSPECT_NAMES, type Suspect } from '../model/index.ts';
import { isHealthy, isInTime, LOOP_SHARE, type Outcome } from './outcome.ts';
import type { Panel } from './panel.ts';
import type { Plan } from './plan.ts';

export interface Conclusion {
  readonly name: string;
  /** Which part of the summary says it. */
  readonly about: 'what' | 'removes' | 'path';
  /** As a sentence, when it holds, and when it does not. */
  readonly yes: string;
  readonly no: string;
  readonly holds: (panel: Panel) => boolean;
}

/** Less than this of a difference is none. */
const SAME_SHARE = 0.1;
/** A resource that is busy this long of the time sets the pace. */
const SATURATED = 0.95;

const hasLoop = ({ refaultsPerFault }: Outcome): boolean => refaultsPerFault > LOOP_SHARE;

/** Suspects that, taken out alone, leave `locked` healthy beyond the thread count asked about. */
export function cures(panel: Panel): Suspect[] {
  return SUSPECT_NAMES.filter((name) => isHealthy(panel.without[name]));
}

/** Suspects by whether `locked` is well without each, then by what it gets done: best first. */
export function rankSuspects(panel: Panel): Suspect[] {
  const isWell = (name: Suspect): number => Number(isHealthy(panel.without[name]));
  return [...SUSPECT_NAMES].sort(
    (a, b) => isWell(b) - isWell(a) || panel.without[b].jobsPerSecond - panel.without[a].jobsPerSecond,
  );
}

export function conclusionsOf({ asked: { before, at, beyond } }: Plan): Conclusion[] {
  return [
    {
      name: 'begins as reported',
      about: 'what',
      yes: `\`locked\` is well at ${before} threads and no longer at ${at}, where the mailing list has its time-outs.`,
      no: `The model does not put the trouble's beginning between ${before} and ${at} threads, where the mailing list has it.`,
      holds: ({ lockedBefore, lockedAt }) => isHealthy(lockedBefore) && !isHealthy(lockedAt),
    },
    {
      name: 'loop at 512',
      about: 'what',
      yes: `At ${at} threads \`locked\` loses pages before jobs have used them: the loop of re-faults runs.`,
      no: `At ${at} threads \`locked\` does not run into the loop of re-faults.`,
      holds: ({ lockedAt }) => hasLoop(lockedAt),
    },
    {
      name: 'collapse beyond',
      about: 'what',
      yes: `At ${beyond} threads \`locked\` has the loop or time-outs.`,
      no: `At ${beyond} threads \`locked\` is well.`,
      holds: (panel) => !isHealthy(panel.beyond.locked),
    },
    {
      name: 'no scanner, no collapse',
      about: 'removes',
      yes: `Without the page scanner, and nothing else changed, \`locked\` is well at ${beyond} threads.`,
      no: `Taking the page scanner away does not by itself make \`locked\` well at ${beyond} threads.`,
      holds: (panel) => isHealthy(panel.without.scanner),
    },
    {
      name: 'scanner alone',
      about: 'removes',
      yes: `The page scanner is the only one of the suspects that does so.`,
      no: `The page scanner is not the only one of the suspects that does so.`,
      holds: (panel) => cures(panel).join() === 'scanner',
    },
    {
      name: 'locks do not cure',
      about: 'removes',
      yes: `Locks and searches that cost nobody a wait do not make \`locked\` well at ${beyond} threads.`,
      no: `Without the waits for its locks and searches \`locked\` is well at ${beyond} threads.`,
      holds: (panel) => !isHealthy(panel.without.locksAndSearch),
    },
    {
      name: 'limit is innocent',
      about: 'removes',
      yes: `The limit on active workers makes no difference: without it \`locked\` gets within ${SAME_SHARE * 100} % of the same done.`,
      no: `The limit on active workers makes a difference to \`locked\` at ${beyond} threads.`,
      holds: ({ without, beyond: { locked } }) => isSame(without.activeLimit, locked),
    },
    {
      name: 'interrupt thread full',
      about: 'what',
      yes: `The one interrupt thread is what \`locked\` waits for at ${at} threads: it is busy all the time.`,
      no: `The one interrupt thread is not busy all the time at ${at} threads.`,
      holds: ({ lockedAt }) => lockedAt.interruptThread >= SATURATED,
    },
    {
      name: 'a faster path is not enough',
      about: 'path',
      yes: `A path without locks moves the knee and does not remove the loop: \`lockless\` has it at ${beyond} threads.`,
      no: `\`lockless\` is well at ${beyond} threads.`,
      holds: (panel) => !isHealthy(panel.beyond.lockless),
    },
    {
      name: 'lockless does more',
      about: 'path',
      yes: `\`lockless\` gets no less done than \`locked\` at ${beyond} threads.`,
      no: `\`lockless\` gets less done than \`locked\` at ${beyond} threads.`,
      holds: ({ beyond: { locked, lockless } }) => lockless.jobsPerSecond >= (1 - SAME_SHARE) * locked.jobsPerSecond,
    },
    {
      name: 'leases cure',
      about: 'path',
      yes: `\`adaptive\`, which leases pages to the device that asked for them, is well at ${beyond} threads, scanner and all.`,
      no: `\`adaptive\` is not well at ${beyond} threads.`,
      holds: (panel) => isHealthy(panel.beyond.adaptive),
    },
    {
      name: 'adaptive in time',
      about: 'path',
      yes: `\`adaptive\` has no time-out at ${beyond} threads.`,
      no: `\`adaptive\` has time-outs at ${beyond} threads.`,
      holds: (panel) => isInTime(panel.beyond.adaptive),
    },
  ];
}

/** By name. */
export function conclude(plan: Plan, panel: Panel): Record<string, boolean> {
  return Object.fromEntries(conclusionsOf(plan).map(({ name, holds }) => [name, holds(panel)]));
}

function isSame(a: Outcome, b: Outcome): boolean {
  return Math.abs(a.jobsPerSecond - b.jobsPerSecond) <= SAME_SHARE * Math.max(a.jobsPerSecond, b.jobsPerSecond);
}
