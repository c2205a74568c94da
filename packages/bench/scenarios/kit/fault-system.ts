// A fault system small enough that its schedules can be counted: what a scenario of the fault path starts from.
//
// To add one: name its designs and the fault path of each, bring the system to where the argument starts in `setup`, give each
// thread its few calls, and name the outcomes. What stands still at the start (a group pending, a group in hand) costs no schedule.
import { balance, type CheckContext, type Context, type Region, type ThreadContext } from '@faultline/bench/explore';
import {
  type Generation,
  type GroupSink,
  type IopfConfig,
  IopfSystem,
  initIopf,
  iopfRegions,
  WorkSink,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import type { CounterMode } from '@faultline/core/sync';
import { answersRegion } from './answers.ts';
import { FaultThread } from './fault-thread.ts';
import { systemNames } from './names.ts';

/** A fault path, and how its threads count. */
export interface Path {
  readonly generation: Generation;
  readonly sharing: CounterMode;
}
export const LOCKED: Path = { generation: 'locked', sharing: 'shared' };
export const V7: Path = { generation: 'v7', sharing: 'shared' };
export const MAINLINE: Path = { generation: 'mainline', sharing: 'shared' };
export const SHARED: Path = { generation: 'lockless', sharing: 'shared' };
export const SPLIT: Path = { generation: 'lockless', sharing: 'split' };

const TINY: Omit<IopfConfig, 'sharing'> = {
  devices: 1,
  domains: 2,
  threads: 2,
  requests: 4,
  workEntries: 2,
  checked: false,
};

export interface FaultSystemOptions extends Partial<Omit<IopfConfig, 'sharing'>> {
  /** The fault path of each design; one that is not named runs on {@link SPLIT}. */
  readonly paths?: Readonly<Record<string, Path>>;
  /** Regions of the scenario's own. */
  readonly regions?: readonly Region[];
}

export interface ThreadOptions {
  /** Makes the sink that reports queue to. Default: the work queue's. One thread at most may use that. */
  readonly sink?: (system: IopfSystem) => GroupSink;
  /** Whether the thread looks things up: grace periods wait for it until {@link FaultThread.leave}. Default: yes. */
  readonly reader?: boolean;
}

/** A worker with a group in hand. */
export interface Holder {
  readonly me: FaultThread;
  readonly group: number;
}

/** A scenario's fault system: its memory, its start, and each thread's view of it. */
export class FaultSystem {
  readonly #options: FaultSystemOptions;

  constructor(options: FaultSystemOptions = {}) {
    this.#options = options;
  }

  pathOf(design: string): Path {
    return this.#options.paths?.[design] ?? SPLIT;
  }

  #config(design: string): IopfConfig {
    const { paths, regions, ...sizes } = this.#options;
    return { ...TINY, ...sizes, sharing: this.pathOf(design).sharing };
  }

  /** For `memory`. */
  readonly memory = (design: string): readonly Region[] => {
    const config = this.#config(design);
    const regions = iopfRegions(config);
    const arena = Arena.create(planArena(regions));
    initIopf(arena, config);
    const names = systemNames(new IopfSystem(arena, { id: 1, spins: 0 }), config);
    return [
      ...regions.map((region) => ({ ...region, fields: names[region.name] ?? {} })),
      answersRegion(config.devices),
      ...(this.#options.regions ?? []),
    ];
  };

  /** For `setup`: makes the system, and has one thread bring it to where the schedules start. */
  setup(prepare: (first: FaultThread, context: Context) => void): (context: Context) => void {
    return (context) => {
      initIopf(Arena.open(context.shared), this.#config(context.design));
      const first = this.#thread(context, { id: 1, spins: 0 }, {});
      prepare(first, context);
      first.path.endBatch();
      first.path.close();
    };
  }

  /** For `open`: this thread's view. */
  open(context: ThreadContext, options: ThreadOptions = {}): FaultThread {
    return this.#thread(context, context.self, options);
  }

  /** For `open`: this thread's view, with the group in hand that `setup` reported. */
  openHolder(context: ThreadContext): Holder {
    const me = this.open(context);
    return { me, group: me.take() };
  }

  #thread(context: Context, self: ThreadContext['self'], options: ThreadOptions): FaultThread {
    const system = new IopfSystem(Arena.open(context.shared), self);
    const sink = options.sink?.(system) ?? new WorkSink(system);
    const thread = new FaultThread(context, system, this.pathOf(context.design).generation, sink);
    if (options.reader !== false) system.reader.online();
    return thread;
  }

  /** The system as it stands at the end, for `check` and `guard`. */
  readonly at = (context: Context): IopfSystem => new IopfSystem(Arena.open(context.shared), { id: 1, spins: 0 });

  /** Throws unless the books balance: so many requests and fault_params in use, nothing pending or referenced. */
  balance(context: CheckContext, inUse: { readonly requests: number; readonly params: number }): void {
    const system = this.at(context);
    const { pending, references } = system;
    const books: Record<string, [number, number]> = {
      'requests in use': [system.requests.live(), inUse.requests],
      'fault_params in use': [system.params.live(), inUse.params],
    };
    for (let domain = 1; domain <= system.config.domains; domain++)
      books[`faults pending on domain ${domain}`] = [pending.read(domain), 0];
    for (let param = 1; param <= system.params.capacity; param++)
      books[`references on fault_param ${param}`] = [references.read(param), 0];
    balance(books);
  }
}
