// An exhibit of the museum: a bug that Linux shipped and fixed, as a scenario. One design takes the faulty steps on a small copy,
// one the repaired ones, and where core does the same job, one runs core.
import {
  type CheckContext,
  type Context,
  type Racy,
  type Region,
  type Scenario,
  scenario,
  type ThreadSpec,
} from '@faultline/bench/explore';
import { answersTo } from '../kit/answers.ts';
import type { FaultSystem } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { copyBeforeClaim, refcountLook, stateGuess } from '../kit/racy.ts';
import { guardSlabs } from '../kit/use-after-free.ts';
import { type Fix, sourceOf } from './fix.ts';
import { type Fields, heapGuard, Kernel, kernelMemory } from './kernel.ts';

/** The design that runs core: as FaultSystem opens it for a design that it was told nothing of. */
const FAULTLINE = 'faultline lockless';

/** The copy: what it stands on, what its threads do. `faulty`: the steps as the bug had them. */
export interface Copy<Thread extends string> {
  /** Words that are always there, by name. */
  readonly shared: Fields;
  /** What `setup` allocates, in that order. */
  readonly objects: Readonly<Record<string, Fields>>;
  setup(kernel: Kernel, faulty: boolean): void;
  readonly threads: Readonly<Record<Thread, (kernel: Kernel, faulty: boolean) => void>>;
  /** Throws what is broken at the end. */
  check(context: CheckContext): void;
  readonly racy?: readonly Racy[];
}

/** The same threads on core. Each ends with {@link FaultThread.leave}, so that grace periods end. */
export interface Ours<Thread extends string> {
  readonly system: FaultSystem;
  setup(first: FaultThread): void;
  readonly threads: Readonly<Record<Thread, (thread: FaultThread, context: Context) => void>>;
  /** Default: group 1 has exactly one answer, and no request or group is in use. */
  check?(context: CheckContext): void;
}

export interface Exhibit<Thread extends string> {
  readonly name: string;
  readonly about: string;
  readonly fix: Fix;
  /** The releases that the copy's two designs are taken from: with the bug, and without. */
  readonly releases: readonly [faulty: string, fixed: string];
  readonly copy: Copy<Thread>;
  readonly ours?: Ours<Thread>;
}

/** Makes an exhibit's scenario. */
export function exhibit<Thread extends string>(url: string, spec: Exhibit<Thread>): Scenario {
  const { copy, ours, releases } = spec;
  const asIn = `as in ${releases[0]}`;
  const racy = [...(copy.racy ?? []), ...(ours === undefined ? [] : racyIn(ours))];
  const oursFor = (design: string): Ours<Thread> | undefined => (design === FAULTLINE ? ours : undefined);

  // A thread's body is chosen, and what it stands on is opened, before the schedule starts.
  const threadOf = (name: Thread): ThreadSpec<() => void> => ({
    open(context) {
      const core = oursFor(context.design);
      if (core !== undefined) {
        const thread = core.system.open(context);
        return () => core.threads[name](thread, context);
      }
      const kernel = new Kernel(context, context.self);
      return () => copy.threads[name](kernel, context.design === asIn);
    },
    run: (_context, body) => body(),
  });

  return scenario(url, {
    name: `museum/${spec.name}`,
    about: spec.about,
    source: sourceOf(spec.fix),
    designs: {
      [asIn]: 'fails',
      [`as fixed in ${releases[1]}`]: 'holds',
      ...(ours === undefined ? {} : { [FAULTLINE]: 'holds' as const }),
    },
    memory: (design) =>
      withAll(racy, oursFor(design)?.system.memory(design) ?? kernelMemory(copy.shared, copy.objects)),
    setup(context) {
      const core = oursFor(context.design);
      if (core === undefined) Kernel.setup(context, (kernel) => copy.setup(kernel, context.design === asIn));
      else core.system.setup((first) => core.setup(first))(context);
    },
    threads: Object.fromEntries((Object.keys(copy.threads) as Thread[]).map((name) => [name, threadOf(name)])),
    check(context) {
      const core = oursFor(context.design);
      if (core === undefined) copy.check(context);
      else if (core.check === undefined) expectSettled(core.system, context, 1);
      else core.check(context);
    },
    guard(context) {
      const core = oursFor(context.design);
      if (core === undefined) return heapGuard(context);
      return guardSlabs((at) => core.system.at(at), 'params', 'handles', 'requests')(context);
    },
    racy,
    // A grace period looks at each reader twice before it sleeps, and a thread may wait for two in a row.
    spins: 4,
  });
}

/** What races on purpose in core: see the reasons in kit/racy.ts. */
function racyIn({ system: { memory } }: Ours<string>): readonly Racy[] {
  return [stateGuess(memory), copyBeforeClaim(memory), refcountLook(memory)];
}

/** What races on purpose is declared for all designs at once: a region that only another design has is there, and empty. */
function withAll(racy: readonly Racy[], regions: readonly Region[]): readonly Region[] {
  const names = new Set(racy.map(({ region }) => region));
  for (const { name } of regions) names.delete(name);
  return [...regions, ...[...names].map((name) => ({ name, words: 1 }))];
}

/** For `check` of core: a group of device 1 has exactly one answer, and no request or group is in use. */
export function expectSettled(system: FaultSystem, context: CheckContext, group: number): void {
  const count = answersTo(context, 1, group);
  if (count !== 1) throw new Error(`group ${group} was answered ${count} times`);
  const { requests } = system.at(context);
  if (requests.live() !== 0) throw new Error(`${requests.live()} requests and groups are in use at the end`);
}
