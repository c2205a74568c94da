// The threads of an exploration, and the sessions they take part in: from the main thread's side.
import { availableParallelism } from 'node:os';
import { AS_SHIPPED, memoryOf, type Scenario } from '../scenario.ts';
import { keepStripped, withoutMarks } from './boot.ts';
import {
  ASLEEP,
  CHOICES,
  DIVERGED,
  EXHAUSTED,
  FAIL_LIVELOCK,
  FAIL_LOOKS,
  FAIL_REFUSED,
  FAIL_STUCK,
  FAILURE,
  HASH,
  LOOKS,
  MAX_THREADS,
  P_LOC,
  PENDING,
  PENDING_STRIDE,
  SPIN_LIMIT,
  SPINNING,
  STEP,
  STOP,
} from './control.layout.ts';
import type { Patch } from './hooks.ts';
import { allocContents, allocMemories, type Memories, ScenarioError } from './placement.ts';
import { type CheckerThread, endThreads, giveBack, takeThread } from './pool.ts';
import type { FromThread, ThreadTask } from './protocol.ts';
import { shadowWords } from './races.ts';
import {
  allocControl,
  type Control,
  type Counts,
  countsOf,
  prepareSession,
  restoreSearch,
  type Search,
  type SessionEnd,
  type SessionOptions,
  searchOf,
} from './session.ts';
import { watchForSilence } from './silence.ts';

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

const DEFAULT_SPINS = 3;
const LOADING_MS = 20_000;
const LOOKS_WITH_OWN_PROCESSOR = 4_000;
const LOOKS_WITHOUT = 400;

export class Crew {
  readonly names: readonly string[];
  readonly memories: Memories;
  readonly control: Control;
  readonly #name: string;
  readonly #tasks: readonly ThreadTask[];
  readonly #threads: CheckerThread[] = [];
  readonly #arrived: ((message: FromThread) => void)[] = [];
  #broken: Error | undefined;
  /** The threads are where another scenario can take them: none is in a session, and none keeps anything of this one. */
  #clean = false;
  #digest = 0;
  #onBroken: ((error: Error) => void) | undefined;

  private constructor(scenario: Scenario, options: CrewOptions) {
    const { spec } = scenario;
    const { checked, maxSteps, patches } = options;
    const design = options.design ?? AS_SHIPPED;
    this.#name = spec.name;
    this.names = Object.keys(spec.threads);
    const threads = this.names.length;
    if (threads < 1 || threads > MAX_THREADS)
      throw new ScenarioError(`${spec.name}: ${threads} threads; 1 to ${MAX_THREADS} can be explored`);
    this.memories = allocMemories(spec.name, memoryOf(spec, design));
    const spins = options.spins ?? spec.spins ?? DEFAULT_SPINS;
    this.control = allocControl({ threads, maxSteps, spins, timeouts: spec.timeouts ?? 'never', checked });
    const snapshot = allocContents(this.memories);
    const locations = snapshot.words.length + snapshot.wide.length;
    const shared = {
      url: scenario.url,
      scenario: spec.name,
      design,
      memories: this.memories,
      control: this.control,
      snapshot,
      shadow: new Int32Array(new SharedArrayBuffer(shadowWords(checked ? locations + 1 : 0, threads) * 4)),
      marks: new Uint8Array(new SharedArrayBuffer(locations + 1)),
      checked,
      patches,
      spins: options.looks ?? (threads <= availableParallelism() ? LOOKS_WITH_OWN_PROCESSOR : LOOKS_WITHOUT),
    };
    this.#tasks = this.names.map((_, me) => ({ ...shared, me }));
    for (const [me, name] of this.names.entries())
      this.#threads.push(
        takeThread({
          told: (message) => this.#receive(me, message),
          lost: (why, stack) =>
            this.#break(new ScenarioError(`${spec.name}: thread '${name}' ${why}\n${withoutMarks(stack)}`)),
        }),
      );
  }

  /** Has threads load the scenario, and lays the memory out.
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
      const loaded = await crew.#all((thread, me) => thread.tell({ kind: 'load', task: crew.#tasks[me] }));
      for (const message of loaded) {
        if (message.kind !== 'loaded') continue;
        keepStripped(message.stripped);
        crew.#digest = message.digest;
      }
      const laidOut = crew.#next(0);
      crew.#threads[0].tell({ kind: 'lay-out' });
      await laidOut;
      return crew;
    } catch (error) {
      await crew.close();
      throw error;
    } finally {
      clearTimeout(patience);
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
    prepareSession(control, options);
    this.#clean = false;
    const watchdog = watchForSilence(control, (noticed) => this.#break(new ScenarioError(`${this.#name}: ${noticed}`)));
    try {
      const ended = await this.#all((thread) => thread.tell({ kind: 'session', watched: options.watched ?? -1 }));
      const ends = ended.filter((message) => message.kind === 'ended');
      const problem = ends.map((end) => end.problem).find((each) => each !== undefined);
      if (control[FAILURE] === FAIL_REFUSED)
        throw new ScenarioError(`${this.#name}: ${problem?.message ?? 'refused'}\n${problem?.stack ?? ''}`);
      this.#clean = ends.every(({ clean }) => clean);
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

  /** What the threads loaded, as a number: another one, other code. */
  get digest(): number {
    return this.#digest;
  }

  get spins(): number {
    return this.control[SPIN_LIMIT];
  }

  counts(): Counts {
    return countsOf(this.control);
  }

  /** Asks for the session's end after the present schedule. */
  stop(): void {
    Atomics.store(this.control, STOP, 1);
  }

  /** Between sessions. */
  saveSearch(): Search {
    return searchOf(this.control);
  }

  restoreSearch(saved: Search, counts: Counts): void {
    restoreSearch(this.control, saved, counts);
  }

  /** The threads go to the next exploration, unless something of this one is in them. */
  async close(): Promise<void> {
    await (this.#clean && this.#broken === undefined ? giveBack(this.#threads) : endThreads(this.#threads));
  }

  #receive(me: number, message: FromThread): void {
    if (message.kind === 'refused')
      this.#break(new ScenarioError(`${this.#name}: ${message.message}\n${message.stack}`));
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
  #all(ask: (thread: CheckerThread, me: number) => void): Promise<FromThread[]> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#onBroken = reject;
      const messages: FromThread[] = [];
      let left = this.names.length;
      for (const [me, thread] of this.#threads.entries()) {
        this.#arrived[me] = (message) => {
          messages[me] = message;
          if (--left === 0) resolve(messages);
        };
        ask(thread, me);
      }
    });
  }
}
