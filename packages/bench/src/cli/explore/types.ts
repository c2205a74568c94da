// Between the command line and the checker: what is asked for, what is told meanwhile, what comes back.
import type { ExploreResult } from '../../explore/result.ts';
import type { Bounds, Scenario, Strategy } from '../../explore/scenario.ts';
import type { TextSink } from '../progress.ts';

/** What is asked of one scenario and design. What is left out is as the scenario has it. */
export interface ExploreRequest {
  readonly design: string;
  readonly strategy?: Strategy;
  readonly bounds?: Bounds;
  /** Run each schedule twice, and refuse code whose operations differ. */
  readonly twice: boolean;
  /** Check plain accesses for races. */
  readonly checked: boolean;
  /** Run the one schedule that this token names. */
  readonly replay?: string;
  /** Go on from where this token says. */
  readonly resume?: string;
  /** Aborted: end the threads within 2 s and return how far it came. */
  readonly signal: AbortSignal;
  /** Told now and then, on the main thread. */
  onProgress(schedules: number, seconds: number): void;
}

/** The checker; tests of the command line put their own in its place. */
export interface ExploreEngine {
  explore(scenario: Scenario, request: ExploreRequest): Promise<ExploreResult>;
}

/** A scenario and where it was found. */
export interface Found {
  readonly scenario: Scenario;
  readonly file: string;
  readonly exportName: string;
}

/** A stream for text; a terminal says how wide it is and whether it has colours. */
export interface Terminal extends TextSink {
  readonly columns?: number;
  hasColors?(): boolean;
}

/** What `explore` needs of the process. */
export interface ExploreHost {
  readonly explorer: ExploreEngine;
  /** Finds and loads all scenarios. */
  readonly loadScenarios: () => Promise<readonly Found[]>;
  readonly out: Terminal;
  readonly err: Terminal;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}
