// What a scenario is. One short file exports one or more; the checker runs each thread of it as a worker of its own.

/** Thirty-two bit words of shared memory: what a scenario's memory is made of, but for its wide regions. */
export type Words = Int32Array<SharedArrayBuffer>;

/** Sixty-four bit words of shared memory, of a buffer of their own: page tables. */
export type WideWords = BigInt64Array<SharedArrayBuffer>;

/** A named piece of a scenario's memory. */
export interface Region {
  readonly name: string;
  readonly words: number;
  /** Its words are 64 bits each, and lie in {@link Context.wide}. Nobody sleeps on them: wait and notify are refused there. */
  readonly wide?: true;
  /** Names of words in it, for reports: name → offset. */
  readonly fields?: Readonly<Record<string, number>>;
  /** The region is an array of objects this many words apart: reports say `name[i].FIELD`. */
  readonly stride?: number;
}

/** A region and where it is: `base` in words of its memory, a multiple of 32. Word 0 to 31 belong to nothing, in either memory. */
export interface PlacedRegion extends Region {
  readonly base: number;
}

/** One of a scenario's memories as it travels; the 32-bit one is what `Arena.open` of `@faultline/core/memory` takes. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly regions: readonly PlacedRegion[];
}

/** What every function of a scenario is handed. */
export interface Context {
  readonly words: Words;
  /** The memory of the wide regions; without any, its length is 0. */
  readonly wide: WideWords;
  /** The 32-bit memory, as an arena opens it: wide regions are not in it. */
  readonly shared: SharedMemory;
  /** Word offset of a region, in `wide` for a wide one, else in `words`. @throws Error naming the region that is not there. */
  at(region: string): number;
  /** Which of the scenario's designs runs. */
  readonly design: string;
}

/** What a thread's functions are handed. */
export interface ThreadContext extends Context {
  /** The thread's name, and who it is to `core`: ids count from 1 in the order of `threads`; `spins` is 0. */
  readonly name: string;
  readonly self: { readonly id: number; readonly spins: number };
  /** A number from 0 up to 1 that replays with the schedule. */
  random(): number;
  /** Milliseconds of virtual time: moves only when a time-out fires. Where they fire at any moment (`timeouts`): one of this thread's. */
  now(): number;
  /** Marks an operation's start for {@link ScenarioSpec.history}. Numbers only. @returns what {@link done} wants. */
  call(operation: number, argument: number): number;
  /** Marks its end. */
  done(call: number, result: number): void;
}

export interface CheckContext extends Context {
  /** What each thread's `run` returned; 0 for undefined. */
  readonly results: Readonly<Record<string, number>>;
}

/** One thread. `open` runs before the schedule starts, unscheduled: make the objects that the thread keeps. */
export interface ThreadSpec<Local> {
  open?(context: ThreadContext): Local;
  /** The body. An async one is run on an event loop. @returns a whole number of 32 bits for `check`, or nothing. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a body that returns nothing is the usual one
  run(context: ThreadContext, local: Local): number | void | Promise<number | void>;
}

/** A thread whatever it keeps: what a scenario takes. */
export interface AnyThread {
  open?(context: ThreadContext): unknown;
  run(context: ThreadContext, local: never): unknown;
}

/** One operation of a history: what {@link linearizable} orders. */
export interface Operation {
  readonly thread: number;
  readonly operation: number;
  readonly argument: number;
  readonly result: number;
  /** Moments: an operation whose `end` is less than another's `start` came before it. */
  readonly start: number;
  readonly end: number;
}

export type Grade = 'acceptable' | 'interesting' | 'forbidden';
export type Expectation = 'fails' | 'holds';

/** A plain access that races on purpose. It becomes a scheduling point, so what it may find is still explored. */
export interface Racy {
  readonly region: string;
  /** Offsets within the region; all of it if left out. With a stride: offsets within an object. */
  readonly offsets?: readonly number[];
  /** Why every value that it may find is harmless. Printed. */
  readonly why: string;
}

export interface Bounds {
  /** Most schedules, of this run where one is resumed; the rest is not explored, and the summary says so. Default 200,000. */
  readonly schedules?: number;
  /** Most seconds. Default 60. */
  readonly seconds?: number;
  /** Most steps of one schedule. Past it threads take turns fairly; no end then is a livelock. Default 2,000. */
  readonly steps?: number;
}

/** `dpor`: every schedule, up to the order of operations that do not touch one another. `bounded`: every schedule with at most
 * so many preemptions. `pct`: random priorities with `depth - 1` changes. `random`: uniform at every step. */
export type Strategy =
  | { readonly kind: 'dpor' }
  | { readonly kind: 'bounded'; readonly preemptions: number }
  | { readonly kind: 'pct'; readonly depth: number; readonly seed: number }
  | { readonly kind: 'random'; readonly seed: number };

export interface ScenarioSpec<Threads extends Readonly<Record<string, AnyThread>>> {
  /** Unique, `folder/name` by custom. */
  readonly name: string;
  /** What is asked, in one sentence. */
  readonly about: string;
  /** The mailing-list thread it is from: '000' to '004'. */
  readonly seed?: string;
  /** Where to read: file and line, or commit. */
  readonly source: string;
  /** Designs by name, and what is expected of each. Left out: one design, `as shipped`, that holds. */
  readonly designs?: Readonly<Record<string, Expectation>>;
  readonly memory: readonly Region[] | ((design: string) => readonly Region[]);
  /** Lays the memory out, once, before the first schedule; each schedule starts from what it left. */
  setup?(context: Context): void;
  /** The threads, in order; at most 8. */
  readonly threads: Threads;
  /** Looks at the memory when all threads have ended. Throws what is broken, or returns the outcome's name. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a check that only throws is the usual one
  check?(context: CheckContext): string | void;
  /** Outcomes that {@link check} may return, graded. One that is not named here is forbidden. */
  readonly outcomes?: Readonly<Record<string, Grade>>;
  /** Looks at the operations that the threads marked by call and done: see {@link linearizable}. Throws what is broken. */
  history?(operations: readonly Operation[]): void;
  readonly racy?: readonly Racy[];
  /** For reports of use after free: made once a thread; told of each plain access and each atomic write, by the word's offset in its
   * memory: `wide` says in which.
   * @returns what is wrong with touching the word now, or undefined. */
  guard?(context: Context): (word: number, wide: boolean) => string | undefined;
  /** Finite time-outs: `never` fire (a thread they would have saved is asleep for ever), `last`: only when nothing else can
   * run, `any`: at any moment. Default `never`. */
  readonly timeouts?: 'never' | 'last' | 'any';
  /** How often a thread may look at the same unchanged words before it is held back until one of them changes. Default 3. It need not
   * be right for loops that give up: a thread about to be held back looks on first, and where it then does anything else, the search
   * starts again with as many looks as that took. */
  readonly spins?: number;
  readonly strategy?: Strategy;
  readonly bounds?: Bounds;
}

/** A scenario and where it is, so that a worker can load it. */
export interface Scenario {
  readonly url: string;
  readonly spec: ScenarioSpec<Readonly<Record<string, AnyThread>>>;
}

export const AS_SHIPPED = 'as shipped';

/** Defines a scenario. Export it: workers load the file at `url` (`import.meta.url`) and look it up by name. */
export function scenario<Threads extends Readonly<Record<string, AnyThread>>>(
  url: string,
  spec: ScenarioSpec<Threads>,
): Scenario {
  return { url, spec };
}

/** The designs of a scenario, each with what is expected of it. */
export function designsOf(spec: Scenario['spec']): Readonly<Record<string, Expectation>> {
  return spec.designs ?? { [AS_SHIPPED]: 'holds' };
}

export function memoryOf(spec: Scenario['spec'], design: string): readonly Region[] {
  return typeof spec.memory === 'function' ? spec.memory(design) : spec.memory;
}
