// The threads of an exploration, and the sessions they take part in: from the main thread's side.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AS_SHIPPED, memoryOf, type Scenario } from '../scenario.ts';
import { BOOT_ARGUMENTS, BOOT_URL, bootData, keepStripped } from './boot.ts';
import {
  ASLEEP,
  CHECKED,
  CHOICES,
  CUT,
  controlWords,
  DIVERGED,
  EXHAUSTED,
  FAIL_LIVELOCK,
  FAIL_LOOKS,
  FAIL_NONE,
  FAIL_REFUSED,
  FAIL_STUCK,
  FAILURE,
  FIRST_INDEX,
  FRAME_STRIDE,
  framesAt,
  HASH,
  INDEX,
  KEEP,
  LIMIT,
  LONGEST,
  LOOKS,
  MAX_OUTCOMES,
  MAX_STEPS,
  MAX_THREADS,
  OUTCOMES,
  P_LOC,
  PARAMETER,
  PENDING,
  PENDING_STRIDE,
  QUIT,
  RECORD,
  REDUNDANT,
  RELEASES,
  SCHEDULES,
  SECOND_RUN,
  SEED,
  SPIN_LIMIT,
  SPINNING,
  STEP,
  STOP,
  STRATEGY,
  STRATEGY_BOUNDED,
  STRATEGY_DPOR,
  STRATEGY_REPLAY,
  THREADS,
  TIMEOUTS,
  TWICE,
} from './control.layout.ts';
import type { Patch } from './hooks.ts';
import { allocContents, allocMemories, type Memories, ScenarioError } from './placement.ts';
import type { FromThread, Problem, ThreadTask, ToThread } from './protocol.ts';
import { shadowWords } from './races.ts';
import type { RecordedAccess, RecordedStep } from './recorder.ts';

/** What a session is asked to do. */
export interface SessionOptions {
  readonly strategy: number;
  readonly parameter?: number;
  readonly seed?: number;
  /** Most schedules, those of earlier sessions included. */
  readonly limit: number;
  /** Goes on from the state that the last session left, or that was resumed. */
  readonly continues?: boolean;
  readonly twice?: number;
  /** Choices to replay, and the number of the schedule that they are of. */
  readonly choices?: Uint8Array;
  readonly index?: number;
  readonly record?: boolean;
  /** Location whose plain accesses are to be noted. */
  readonly watched?: number;
}

export interface SessionEnd {
  readonly failure: number;
  readonly problem: Problem | undefined;
  readonly choices: Uint8Array;
  readonly hash: number;
  readonly diverged: number;
  readonly exhausted: boolean;
  /** Who is stuck and on what; '' when nobody is. */
  readonly stuckOn: string;
  readonly steps: readonly RecordedStep[];
  readonly accesses: readonly RecordedAccess[];
  /** By thread: where it was when the schedule ended without it; '' when it had ended. */
  readonly stuckAt: readonly string[];
}

/** What the exploration has done so far: readable while it runs. */
export interface Counts {
  readonly schedules: number;
  readonly redundant: number;
  readonly longest: number;
  readonly cut: number;
  readonly releases: number;
  readonly outcomes: readonly number[];
}

export interface CrewOptions {
  readonly design?: string;
  readonly checked: boolean;
  readonly maxSteps: number;
  readonly patches: readonly Patch[];
  /** How often a thread may look at the same, where a resumed search knows better than the scenario. */
  readonly spins?: number;
  /** How often a thread looks for its turn before it sleeps. Default: long, while each thread has a processor. */
  readonly looks?: number;
}

const TIMEOUT_CODES = { never: 0, last: 1, any: 2 } as const;
const DEFAULT_SPINS = 3;
/** A thread that holds the turn this long makes no operation any more. */
const SILENCE_MS = 5_000;
const LOADING_MS = 20_000;
const LOOKS_WITH_OWN_PROCESSOR = 4_000;
const LOOKS_WITHOUT = 400;

export class Crew {
  readonly names: readonly string[];
  readonly memories: Memories;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly #scenario: Scenario;
  readonly #workers: Worker[] = [];
  readonly #arrived: ((message: FromThread) => void)[] = [];
  #broken: Error | undefined;
  #digest = 0;
  #onBroken: ((error: Error) => void) | undefined;

  private constructor(scenario: Scenario, options: CrewOptions) {
    const { spec } = scenario;
    const design = options.design ?? AS_SHIPPED;
    this.#scenario = scenario;
    this.names = Object.keys(spec.threads);
    if (this.names.length < 1 || this.names.length > MAX_THREADS)
      throw new ScenarioError(`${spec.name}: ${this.names.length} threads; 1 to ${MAX_THREADS} can be explored`);
    this.memories = allocMemories(spec.name, memoryOf(spec, design));
    const snapshot = allocContents(this.memories);
    const locations = snapshot.words.length + snapshot.wide.length;
    const shared = (size: number): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(size * 4));
    this.control = shared(controlWords(options.maxSteps));
    this.control[THREADS] = this.names.length;
    this.control[MAX_STEPS] = options.maxSteps;
    this.control[SPIN_LIMIT] = options.spins ?? spec.spins ?? DEFAULT_SPINS;
    this.control[TIMEOUTS] = TIMEOUT_CODES[spec.timeouts ?? 'never'];
    this.control[CHECKED] = options.checked ? 1 : 0;
    const shadow = shared(shadowWords(options.checked ? locations + 1 : 0, this.names.length));
    const marks = new Uint8Array(new SharedArrayBuffer(locations + 1));
    const enough = this.names.length <= availableParallelism();
    for (let me = 0; me < this.names.length; me++) {
      const task: ThreadTask = {
        url: scenario.url,
        scenario: spec.name,
        design,
        me,
        memories: this.memories,
        control: this.control,
        snapshot,
        shadow,
        marks,
        checked: options.checked,
        patches: options.patches,
        spins: options.looks ?? (enough ? LOOKS_WITH_OWN_PROCESSOR : LOOKS_WITHOUT),
      };
      const worker = new Worker(BOOT_URL, {
        workerData: {
          ...task,
          ...bootData(
            workerUrl(),
            options.patches.map(({ module }) => module),
          ),
        },
        execArgv: [...process.execArgv.filter((each) => !each.startsWith('--input-type')), ...BOOT_ARGUMENTS],
        name: this.names[me],
      });
      worker.on('message', (message: FromThread) => this.#receive(me, message));
      const told = (why: string, stack: string = ''): void =>
        this.#break(new ScenarioError(`${spec.name}: thread '${this.names[me]}' ${why}\n${stack}`));
      worker.on('error', (error: Error) => told(`threw outside its run: ${error.message}`, error.stack));
      worker.on('exit', (code) => told(`ended by itself, with exit code ${code}`));
      this.#workers.push(worker);
    }
  }

  /** Starts the threads, has them load the scenario, and lays the memory out.
   * @throws ScenarioError saying what is wrong with the scenario. */
  static async open(scenario: Scenario, options: CrewOptions): Promise<Crew> {
    const crew = new Crew(scenario, options);
    const patience = setTimeout(
      () =>
        crew.#break(
          new ScenarioError(`${scenario.spec.name}: did not load, or was not set up, in ${LOADING_MS / 1000} s`),
        ),
      LOADING_MS,
    );
    try {
      for (const message of await crew.#all(() => undefined)) {
        if (message.kind !== 'loaded') continue;
        keepStripped(message.stripped);
        crew.#digest = message.digest;
      }
      const laidOut = crew.#next(0);
      crew.#tell(0, { kind: 'lay-out' });
      await laidOut;
      clearTimeout(patience);
      return crew;
    } catch (error) {
      clearTimeout(patience);
      await crew.close();
      throw error;
    }
  }

  /** Runs schedules until the session's end. @throws ScenarioError when the scenario cannot be explored, or never ends. */
  async session(options: SessionOptions): Promise<SessionEnd> {
    Atomics.store(this.control, STOP, 0);
    for (let restarted = false; ; ) {
      const end = await this.#session({ ...options, continues: options.continues === true && !restarted });
      if (end.failure !== FAIL_LOOKS) return end;
      // A loop gives up after more looks than threads were let make: with so many, from the start.
      this.control[SPIN_LIMIT] = this.control[LOOKS];
      restarted = true;
    }
  }

  async #session(options: SessionOptions): Promise<SessionEnd> {
    const { control } = this;
    this.#prepare(options);
    const watchdog = this.#watch();
    try {
      const ended = await this.#all((me) => this.#tell(me, { kind: 'session', watched: options.watched ?? -1 }));
      const ends = ended.filter((message) => message.kind === 'ended');
      const problem = ends.map((end) => end.problem).find((each) => each !== undefined);
      if (control[FAILURE] === FAIL_REFUSED)
        throw new ScenarioError(
          `${this.#scenario.spec.name}: ${problem?.message ?? 'refused'}\n${problem?.stack ?? ''}`,
        );
      return {
        failure: control[FAILURE],
        problem,
        choices: new Uint8Array(control.buffer, CHOICES * 4).slice(0, control[STEP]),
        hash: control[HASH],
        diverged: control[DIVERGED] - 1,
        exhausted: control[EXHAUSTED] !== 0,
        stuckOn: this.#stuckOn(),
        steps: ends.flatMap((end) => end.steps),
        accesses: ends.flatMap((end) => end.accesses),
        stuckAt: ends.map((end) => end.stuckAt),
      };
    } finally {
      clearInterval(watchdog);
    }
  }

  #stuckOn(): string {
    const { control } = this;
    if (control[FAILURE] !== FAIL_STUCK && control[FAILURE] !== FAIL_LIVELOCK) return '';
    return this.names
      .flatMap((name, me) => {
        const held = ((control[ASLEEP] | control[SPINNING]) & (1 << me)) !== 0;
        return held ? [`${name} ${control[PENDING + me * PENDING_STRIDE + P_LOC]}`] : [];
      })
      .join(', ');
  }

  #prepare(options: SessionOptions): void {
    const { control } = this;
    control[STRATEGY] = options.strategy;
    control[PARAMETER] = options.parameter ?? 0;
    control[SEED] = options.seed ?? 1;
    control[LIMIT] = options.limit;
    control[TWICE] = options.twice ?? 0;
    control[RECORD] = options.record === true ? 1 : 0;
    control[QUIT] = 0;
    control[FAILURE] = FAIL_NONE;
    control[SECOND_RUN] = 0;
    control[EXHAUSTED] = 0;
    if (options.continues === true) return;
    control[SCHEDULES] = 0;
    control[REDUNDANT] = 0;
    control[INDEX] = options.index ?? 0;
    control[KEEP] = 0;
    if (options.strategy !== STRATEGY_REPLAY) {
      control[LONGEST] = 0;
      control[CUT] = 0;
      control[RELEASES] = 0;
      control.fill(0, OUTCOMES, OUTCOMES + MAX_OUTCOMES);
    }
    if (options.choices !== undefined) {
      new Uint8Array(control.buffer, CHOICES * 4).set(options.choices);
      control[KEEP] = options.choices.length;
    }
  }

  /** What the threads loaded, as a number: another one, other code. */
  get digest(): number {
    return this.#digest;
  }

  get spins(): number {
    return this.control[SPIN_LIMIT];
  }

  counts(): Counts {
    const { control } = this;
    return {
      schedules: control[SCHEDULES],
      redundant: control[REDUNDANT],
      longest: control[LONGEST],
      cut: control[CUT],
      releases: control[RELEASES],
      outcomes: [...control.subarray(OUTCOMES, OUTCOMES + MAX_OUTCOMES)],
    };
  }

  /** Asks for the session's end after the present schedule. */
  stop(): void {
    Atomics.store(this.control, STOP, 1);
  }

  /** The search's state: choices that are given and what is left to try at each. Between sessions. */
  saveSearch(): { index: number; keep: number; frames: number[] } {
    const { control } = this;
    const searches = control[STRATEGY] === STRATEGY_DPOR || control[STRATEGY] === STRATEGY_BOUNDED;
    const keep = searches ? control[KEEP] : 0;
    const at = framesAt(control[MAX_STEPS]);
    return { index: control[INDEX], keep, frames: [...control.subarray(at, at + keep * FRAME_STRIDE)] };
  }

  restoreSearch(saved: { index: number; keep: number; frames: readonly number[] }, counts: Counts): void {
    const { control } = this;
    control[INDEX] = saved.index;
    control[FIRST_INDEX] = saved.index;
    control[KEEP] = saved.keep;
    control.set(saved.frames, framesAt(control[MAX_STEPS]));
    control[SCHEDULES] = counts.schedules;
    control[REDUNDANT] = counts.redundant;
    control[LONGEST] = counts.longest;
    control[CUT] = counts.cut;
    control[RELEASES] = counts.releases;
    control.set(counts.outcomes, OUTCOMES);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #tell(me: number, message: ToThread): void {
    this.#workers[me].postMessage(message);
  }

  #receive(me: number, message: FromThread): void {
    if (message.kind === 'refused')
      this.#break(new ScenarioError(`${this.#scenario.spec.name}: ${message.message}\n${message.stack}`));
    else this.#arrived[me]?.(message);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    this.#onBroken?.(this.#broken);
  }

  /** One thread's next message. */
  #next(me: number): Promise<FromThread> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#arrived[me] = resolve;
      this.#onBroken = reject;
    });
  }

  /** Each thread's next message. */
  #all(ask: (me: number) => void): Promise<FromThread[]> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#onBroken = reject;
      const messages: FromThread[] = [];
      let left = this.names.length;
      this.names.forEach((_, me) => {
        this.#arrived[me] = (message) => {
          messages[me] = message;
          if (--left === 0) resolve(messages);
        };
        ask(me);
      });
    });
  }

  /** Notices a thread that holds the turn and never makes another operation. */
  #watch(): NodeJS.Timeout {
    const { control } = this;
    let seen = '';
    let since = performance.now();
    return setInterval(() => {
      const now = `${control[INDEX]} ${control[STEP]} ${control[SCHEDULES]} ${control[REDUNDANT]} ${control[HASH]}`;
      if (now !== seen) {
        seen = now;
        since = performance.now();
        return;
      }
      if (performance.now() - since < SILENCE_MS || control[QUIT] !== 0) return;
      this.#break(
        new ScenarioError(
          `${this.#scenario.spec.name}: never ends: after step ${control[STEP]} of schedule ${control[INDEX] + 1} a thread ` +
            `computed for ${SILENCE_MS / 1000} s without an operation on shared memory`,
        ),
      );
    }, 500);
  }
}

/** Beside this module: the source in the repository, the built one in a package. */
function workerUrl(): URL {
  const source = new URL('./thread.worker.ts', import.meta.url);
  return existsSync(source) ? source : new URL('./thread.worker.js', import.meta.url);
}
