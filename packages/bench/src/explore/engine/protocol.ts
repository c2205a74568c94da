// What the main thread and the threads of an exploration tell one another. Only between sessions: never while schedules run.
import type { Stripped } from './boot.ts';
import type { Patch } from './hooks.ts';
import type { RaceDetail } from './memory.ts';
import type { Contents, Memories } from './placement.ts';
import type { RecordedAccess, RecordedStep } from './recorder.ts';

/** What a thread is given to load. */
export interface ThreadTask {
  readonly url: string;
  readonly scenario: string;
  readonly design: string;
  /** The thread's place among the scenario's. */
  readonly me: number;
  readonly memories: Memories;
  readonly control: Int32Array<SharedArrayBuffer>;
  /** The memories as they were laid out. */
  readonly snapshot: Contents;
  readonly shadow: Int32Array<SharedArrayBuffer>;
  /** A byte a location: MARK_RACY, MARK_STATE. */
  readonly marks: Uint8Array<SharedArrayBuffer>;
  readonly checked: boolean;
  readonly patches: readonly Patch[];
  /** How often to look for the turn before sleeping. */
  readonly spins: number;
}

export type ToThread =
  | { readonly kind: 'load'; readonly task: ThreadTask }
  | { readonly kind: 'lay-out' } // to the first thread alone: run the scenario's setup, keep the snapshot
  | { readonly kind: 'session'; readonly watched: number };

export interface Problem {
  readonly kind: number;
  readonly message: string;
  readonly stack: string;
  readonly race?: RaceDetail | undefined;
}

/** What a thread noted in a session. */
export interface SessionNotes {
  readonly problem: Problem | undefined;
  readonly steps: readonly RecordedStep[];
  readonly accesses: readonly RecordedAccess[];
  readonly stuckAt: string;
}

export interface Ended extends SessionNotes {
  readonly kind: 'ended';
  /** The thread may load another scenario: nothing of this one stays in it. */
  readonly clean: boolean;
}

export type FromThread =
  | { readonly kind: 'loaded'; readonly stripped: ReadonlyMap<string, Stripped>; readonly digest: number }
  | { readonly kind: 'laid-out' }
  | { readonly kind: 'refused'; readonly message: string; readonly stack: string }
  | Ended;
