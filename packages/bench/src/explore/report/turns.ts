// A schedule as a reader follows it: turns, what each step did in one phrase, and loops said once.
import type { Finding, FindingKind, Step, SwitchReason } from '../result.ts';

/** What one thread did before another went on. */
export interface Turn {
  readonly thread: number;
  readonly steps: readonly Step[];
  /** Why the turn came to it: one phrase, naming the thread before. */
  readonly why: string;
}

export function turnsOf(steps: readonly Step[], threads: readonly string[]): Turn[] {
  const turns: { thread: number; steps: Step[]; why: string }[] = [];
  for (const step of steps) {
    const last = turns.at(-1);
    if (last?.thread === step.thread) last.steps.push(step);
    else
      turns.push({ thread: step.thread, steps: [step], why: describeSwitch(step.why, last && threads[last.thread]) });
  }
  return turns;
}

function describeSwitch(why: SwitchReason, before: string | undefined): string {
  if (before === undefined || why === 'start') return 'starts';
  switch (why) {
    case 'preempted':
      return `preempts ${before}`;
    case 'asleep':
      return `${before} sleeps`;
    case 'spinning':
      return `${before} spins`;
    case 'ended':
      return `${before} ended`;
    case 'woken':
      return 'is woken';
    case '':
      return 'goes on';
  }
}

/** What a step did, without its thread: `mutex.word: compareExchange 0 → 1`. */
export function describeStep({ kind, object, effect }: Step): string {
  if (kind === 'end') return effect ? `ends, ${effect}` : 'ends';
  const what = effect ? `${kind} ${effect}` : kind;
  return object ? `${object}: ${what}` : what;
}

/** Where the code under test made the step, without the function's name: `sync/mutex.ts:25`; '' where nobody knows. */
export function positionOf({ stack }: Step): string {
  return stack.length > 0 ? stack[0].replace(/ .*$/s, '') : '';
}

/** Kinds that no step of the schedule is to blame for: a check looks when all threads have ended, a livelock is all of its
 * steps, and the accesses of a race lie between them. */
const NO_STEP: ReadonlySet<FindingKind> = new Set(['check', 'forbidden outcome', 'livelock', 'data race']);

/** Whether it broke at the schedule's last step. */
export function breaksAtEnd({ kind, steps }: Finding): boolean {
  return steps.length > 0 && !NO_STEP.has(kind);
}

/** A schedule whose end goes round in a circle, with the circle taken once. */
export interface Folded {
  /** Ends with one whole round. */
  readonly steps: readonly Step[];
  /** Steps of a round; 0 where nothing repeats. */
  readonly round: number;
  /** How often it was gone round, the one that is shown included. */
  readonly times: number;
}

const LONGEST_ROUND = 64;
/** Fewer are shown as they are. */
const LEAST_ROUNDS = 4;

/** Finds the shortest round that the schedule ends in, if it goes round at least four times: a livelock is its whole bound
 * of steps long, and says the same thing hundreds of times. */
export function foldRounds(steps: readonly Step[]): Folded {
  const names = steps.map((step) => `${step.thread} ${describeStep(step)} ${positionOf(step)}`);
  for (let round = 1; round <= LONGEST_ROUND && round * LEAST_ROUNDS <= steps.length; round++) {
    let same = 0;
    for (let at = steps.length - 1; at >= round && names[at] === names[at - round]; at--) same++;
    const times = Math.floor(same / round) + 1;
    if (times >= LEAST_ROUNDS) return { steps: steps.slice(0, steps.length - (times - 1) * round), round, times };
  }
  return { steps, round: 0, times: 1 };
}

export function describeRounds({ round, times }: Folded): string {
  const what = round === 1 ? 'the last step repeats' : `the last ${round} steps repeat`;
  return times > 1 ? `${what}, ${times.toLocaleString('en')} times in all` : '';
}
