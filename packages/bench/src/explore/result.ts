// What an exploration found, as data: everything that is printed, drawn, saved or written as JSON is made from this.
import type { Expectation, Grade } from './scenario.ts';

export type FindingKind =
  | 'exception' // a thread threw
  | 'check' // the check threw: an assertion, a history that no order explains
  | 'unbalanced books' // the check threw what balance() throws
  | 'forbidden outcome'
  | 'deadlock' // threads wait for one another
  | 'lost wake-up' // a thread is asleep for ever, though what it sleeps on has changed, or nobody is left to wake it
  | 'livelock' // no progress within the bound
  | 'data race' // two plain accesses, or a plain and an atomic one, with nothing between them
  | 'use after free'
  | 'nondeterminism' // the same schedule made different operations
  | 'refused'; // timers, randomness, unregistered memory: the scenario is not one that can be replayed

export type StepKind =
  | 'load'
  | 'store'
  | 'add'
  | 'sub'
  | 'and'
  | 'or'
  | 'xor'
  | 'exchange'
  | 'compareExchange'
  | 'wait'
  | 'notify'
  | 'waitAsync'
  | 'wake' // a sleeper goes on: 'ok' or 'timed-out'
  | 'yield' // an event loop's turn
  | 'read' // plain, declared racy
  | 'write'
  | 'call' // a history's marks
  | 'done'
  | 'end'; // the thread ended

/** Why the turn went to this step's thread. */
export type SwitchReason =
  | '' // the thread simply went on
  | 'start'
  | 'preempted' // the one before could have gone on
  | 'asleep' // the one before fell asleep
  | 'spinning' // the one before looked at the same words again and again
  | 'ended' // the one before had ended
  | 'woken'; // notified, and so let go on

export interface Step {
  readonly index: number;
  /** Index into {@link Finding.threads}. */
  readonly thread: number;
  readonly kind: StepKind;
  /** The word's name, such as `mutex.word` or `slab[2].META`; '' where the step touches none. */
  readonly object: string;
  /** What happened, short: `0 → 1`, `= 1, expected 0: fails`, `woke 1`. */
  readonly effect: string;
  readonly why: SwitchReason;
  /** Source position of the code under test, `sync/mutex.ts:25`, innermost first. */
  readonly stack: readonly string[];
}

/** One of the two accesses of a data race. */
export interface Access {
  readonly thread: string;
  readonly what: string;
  readonly stack: readonly string[];
}

export interface Finding {
  readonly scenario: string;
  readonly design: string;
  readonly kind: FindingKind;
  /** What broke, in one line. */
  readonly message: string;
  readonly threads: readonly string[];
  /** The minimised schedule, whole. */
  readonly steps: readonly Step[];
  readonly switches: number;
  /** Switches before it was minimised. */
  readonly foundSwitches: number;
  readonly race?: readonly [Access, Access];
  /** Threads that did not end, and where they are stuck. */
  readonly stuck: readonly { readonly thread: string; readonly where: string; readonly stack: readonly string[] }[];
  /** Replays it. */
  readonly token: string;
  readonly schedule: readonly Run[];
}

/** A stretch of a schedule: the thread (index) and for how many steps. */
export type Run = readonly [thread: number, steps: number];

/** What ended the exploration: nothing (`exhausted`), a finding, or a bound. */
export type EndedBy = 'exhausted' | 'finding' | 'schedules' | 'seconds' | 'interrupted';

export interface ExploreResult {
  readonly scenario: string;
  readonly about: string;
  readonly seed: string;
  readonly source: string;
  readonly design: string;
  readonly expected: Expectation;
  readonly strategy: string;
  readonly finding: Finding | undefined;
  readonly endedBy: EndedBy;
  /** Schedules run to their end. Those that a sleep set cut short as redundant are in `redundant`. */
  readonly schedules: number;
  readonly redundant: number;
  /** Every schedule was run (`dpor`: up to reordering), and none was cut by the bound on steps. */
  readonly exhausted: boolean;
  /** The bound that cut the space: '' for none, else such as `200000 schedules`, `3 preemptions`, `2000 steps`. */
  readonly bound: string;
  /** Steps of the longest schedule. */
  readonly steps: number;
  readonly seconds: number;
  /** Outcomes, with how many schedules ended in each. */
  readonly outcomes: readonly { readonly name: string; readonly grade: Grade; readonly count: number }[];
  /** Goes on from here: given when it was interrupted or cut by a bound. */
  readonly resume: string;
}
