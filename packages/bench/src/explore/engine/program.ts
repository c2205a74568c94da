// One scenario in a thread, from its modules' load to its last session: it puts its own Atomics in the global's place, loads the
// scenario, and takes part in sessions. Nothing of an earlier one in the same thread is left: globals and modules are its own.
import type { Scenario, ThreadSpec } from '../scenario.ts';
import { ScheduledAtomics } from './atomics.ts';
import { Body } from './body.ts';
import { makeContext, makeThreadContext } from './context.ts';
import { FAIR_STEPS, MAX_STEPS, PAST_WORDS, THREADS } from './control.layout.ts';
import { refuseClocksAndChance, watchViews } from './globals.ts';
import { type Load, provideImmediate } from './hooks.ts';
import { makeJudge } from './judge.ts';
import { Memory, type RaceDetail } from './memory.ts';
import { type Contents, contentsOf, copyContents, markRacy } from './placement.ts';
import type { Problem, SessionNotes, ThreadTask } from './protocol.ts';
import { Recorder } from './recorder.ts';
import { ScheduleEnd } from './schedule-end.ts';
import { Scheduler } from './scheduler.ts';
import { Turn } from './turn.ts';

const { setImmediate } = globalThis;

/** A scenario that a thread has loaded. */
export interface Loaded {
  /** Runs the scenario's setup and keeps what it left: in one thread, once. */
  layOut(): void;
  /** @param watched location whose plain accesses are noted, -1 for none. */
  session(watched: number): Promise<SessionNotes>;
}

export class Program {
  readonly #task: ThreadTask;
  readonly #contents: Contents;
  readonly #recorder: Recorder = new Recorder();
  readonly #scheduler: Scheduler;
  readonly #memory: Memory;
  readonly #atomics: ScheduledAtomics;
  #problem: Problem | undefined;

  private constructor(task: ThreadTask) {
    const { control, me } = task;
    this.#task = task;
    this.#contents = contentsOf(task.memories);
    this.#scheduler = new Scheduler(control, this.#contents, me, new Turn(control, me, task.spins), this.#recorder);
    this.#memory = new Memory(this.#scheduler, task.checked, task.shadow, control[THREADS], task.marks, this.#report);
    this.#atomics = new ScheduledAtomics(this.#scheduler, this.#memory);
  }

  readonly #report = (kind: number, message: string, stack: string, race?: RaceDetail): void => {
    this.#problem ??= { kind, message, stack, race };
    this.#scheduler.fail(kind);
  };

  /** Makes the thread this scenario's. */
  static async load(task: ThreadTask, load: Load): Promise<Loaded> {
    const program = new Program(task);
    globalThis.Atomics = program.#atomics.replacement();
    watchViews(program.#memory);
    refuseClocksAndChance(program.#scheduler, program.#memory);
    const spec = findScenario(await load(task.url, task.patches), task);
    markRacy(spec, task.memories, task.marks);
    return program.#prepared(spec);
  }

  #prepared(spec: Scenario['spec']): Loaded {
    const task = this.#task;
    const { control, memories, snapshot, shadow } = task;
    const scheduler = this.#scheduler;
    const memory = this.#memory;
    const context = makeContext(spec, memory, memories, task.design);
    const [name, thread] = Object.entries(spec.threads)[task.me] as [string, ThreadSpec<unknown>];
    const judge = makeJudge(spec, control, context, this.#report);
    const end = new ScheduleEnd(
      { scheduler, snapshot, shadow, judge },
      scheduler.locations + PAST_WORDS,
      control[MAX_STEPS] + FAIR_STEPS + 1,
    );
    const body: Body = new Body({
      scheduler,
      end,
      context: makeThreadContext(context, scheduler, name, (message) => memory.refuse(message)),
      thread,
      opens: spec.guard !== undefined || Object.values(spec.threads).some((each) => each.open !== undefined),
      prepare: () => memory.beginSchedule(spec.guard?.(context)),
      promises: this.#atomics.promises,
      report: this.#report,
    });
    provideImmediate((refused) => {
      if (refused !== undefined) memory.refuse(`${refused} was used: it takes time, which does not replay`);
      return body.yieldTurn();
    });
    return {
      layOut: () => {
        spec.setup?.(context);
        copyContents(this.#contents, snapshot);
        memory.guard = spec.guard?.(context);
        memory.markStates();
      },
      session: (watched) => this.#session(body, end, watched),
    };
  }

  async #session(body: Body, end: ScheduleEnd, watched: number): Promise<SessionNotes> {
    const recorder = this.#recorder;
    this.#problem = undefined;
    recorder.clear();
    recorder.watched = watched;
    this.#scheduler.beginSession();
    if (this.#task.me === 0) {
      end.reset();
      this.#scheduler.turn.give(0);
    }
    await body.run();
    await new Promise((resolve) => setImmediate(resolve)); // what a body left behind and nobody caught is told first
    const { steps, accesses, stuckAt } = recorder;
    return { problem: this.#problem, steps, accesses, stuckAt };
  }
}

/** Finds the scenario in its module, whatever it is exported as. */
function findScenario(module: Record<string, unknown>, { url, scenario }: ThreadTask): Scenario['spec'] {
  for (const exported of Object.values(module)) {
    const spec = (exported as Partial<Scenario> | undefined)?.spec;
    if (spec?.name === scenario) return spec;
  }
  throw new Error(`${url} exports no scenario named '${scenario}'`);
}
