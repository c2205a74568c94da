// A thread of an exploration: it puts its own Atomics in the global's place, loads the scenario, and takes part in sessions.
import { parentPort, workerData } from 'node:worker_threads';
import type { Scenario, ThreadSpec } from '../scenario.ts';
import { ScheduledAtomics } from './atomics.ts';
import { Body } from './body.ts';
import { freshlyStripped, sourcesDigest } from './boot.ts';
import { makeContext, makeThreadContext } from './context.ts';
import { FAIR_STEPS, MAX_STEPS, PAST_WORDS, THREADS } from './control.layout.ts';
import { refuseClocksAndChance, watchViews } from './globals.ts';
import { hookModules, provideImmediate } from './hooks.ts';
import { makeJudge, messageOf, stackOf } from './judge.ts';
import { Memory, type RaceDetail } from './memory.ts';
import { contentsOf, copyContents, markRacy } from './placement.ts';
import type { FromThread, Problem, ThreadTask, ToThread } from './protocol.ts';
import { Recorder } from './recorder.ts';
import { ScheduleEnd } from './schedule-end.ts';
import { ABORTED, Scheduler } from './scheduler.ts';
import { Turn } from './turn.ts';

const task = workerData as ThreadTask;
const port = parentPort;
if (port === null) throw new Error('thread.worker is a worker');
const tell = (message: FromThread): void => port.postMessage(message);

/** Finds the scenario in its module, whatever it is exported as. */
function findScenario(module: Record<string, unknown>): Scenario['spec'] {
  for (const exported of Object.values(module)) {
    const spec = (exported as Partial<Scenario> | undefined)?.spec;
    if (spec?.name === task.scenario) return spec;
  }
  throw new Error(`${task.url} exports no scenario named '${task.scenario}'`);
}

async function start(): Promise<void> {
  const { control, memories } = task;
  const contents = contentsOf(memories);
  const recorder = new Recorder();
  const scheduler = new Scheduler(control, contents, task.me, new Turn(control, task.me, task.spins), recorder);
  let problem: Problem | undefined;
  const report = (kind: number, message: string, stack: string, race?: RaceDetail): void => {
    problem ??= { kind, message, stack, race };
    scheduler.fail(kind);
  };
  const { marks } = task;
  const memory = new Memory(scheduler, task.checked, task.shadow, control[THREADS], marks, report);
  const atomics = new ScheduledAtomics(scheduler, memory);
  globalThis.Atomics = atomics.replacement();
  watchViews(memory);
  refuseClocksAndChance(scheduler, memory);
  const hooks = hookModules(task.patches);
  const spec = findScenario((await import(task.url)) as Record<string, unknown>);
  const applied = hooks.applied();
  const unused = task.patches.find((patch) => !applied.includes(patch));
  if (unused !== undefined) throw new Error(`${unused.module}: is to be patched, and the scenario does not load it`);
  markRacy(spec, memories, marks);

  const context = makeContext(spec, memory, memories, task.design);
  const [name, thread] = Object.entries(spec.threads)[task.me] as [string, ThreadSpec<unknown>];
  const judge = makeJudge(spec, control, context, report);
  const end = new ScheduleEnd(
    { scheduler, snapshot: task.snapshot, shadow: task.shadow, judge },
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
    promises: atomics.promises,
    report,
  });
  provideImmediate((refused) => {
    if (refused !== undefined) memory.refuse(`${refused} was used: it takes time, which does not replay`);
    return body.yieldTurn();
  });

  port?.on('message', (message: ToThread) => {
    if (message.kind === 'lay-out') {
      try {
        spec.setup?.(context);
        copyContents(contents, task.snapshot);
        memory.guard = spec.guard?.(context);
        memory.markStates();
        tell({ kind: 'laid-out' });
      } catch (error) {
        tell({ kind: 'refused', message: `setup: ${messageOf(error)}`, stack: stackOf(error) });
      }
      return;
    }
    problem = undefined;
    recorder.clear();
    recorder.watched = message.watched;
    scheduler.beginSession();
    if (task.me === 0) {
      end.reset();
      scheduler.turn.give(0);
    }
    void body.run().then(async () => {
      await new Promise((resolve) => setImmediate(resolve)); // what a body left behind and nobody caught is told first
      const { steps, accesses, stuckAt } = recorder;
      tell({ kind: 'ended', problem, steps, accesses, stuckAt });
    });
  });
  tell({ kind: 'loaded', stripped: freshlyStripped(), digest: sourcesDigest() });
}

process.on('unhandledRejection', (error) => {
  if (error === ABORTED) return; // of a schedule that was over
  tell({ kind: 'refused', message: `outside a thread: ${messageOf(error)}`, stack: stackOf(error) });
});
start().catch((error: unknown) => tell({ kind: 'refused', message: messageOf(error), stack: stackOf(error) }));
