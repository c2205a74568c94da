import type { Caller } from '../caller/index.ts';
import type { Args, Struct } from '../uapi/index.ts';
import type { Context } from './context.ts';

/** One call under way. What it answers is written into `args`. */
export interface Ucmd<S extends Struct> {
  readonly caller: Caller;
  readonly args: Args<S>;
  /** What the call returns: 0, if nobody says otherwise. */
  result: number;
  /** Writes the outputs back to the caller now. Whoever makes an object calls it before publishing it, so that it can still be
   * undone: who has no outputs need not. @throws IommuError EFAULT */
  respond(): void;
}

/** An ioctl: its struct and what it does. */
export interface Command<S extends Struct = Struct> {
  readonly struct: S;
  /** Outputs are written back also when it fails. */
  readonly alwaysResponds?: boolean;
  /** The one field that is written back: else the whole struct is. */
  readonly answersIn?: keyof S['fields'] & string;
  /** Nothing is written back but by `respond`. Others that have outputs write them when they succeed, at the latest. */
  readonly respondsItself?: boolean;
  run(context: Context, ucmd: Ucmd<S>): void;
}

/** A command of any struct: what a table of all of them holds. */
export interface AnyCommand {
  readonly struct: Struct;
  readonly alwaysResponds?: boolean;
  readonly answersIn?: string;
  readonly respondsItself?: boolean;
  run(context: Context, ucmd: never): void;
}
