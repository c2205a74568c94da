import { IommuError } from '@faultline/core/errors';
import {
  type FaultPath,
  type Generation,
  type GroupSink,
  type IommuOps,
  IopfSystem,
  openFaultPath,
} from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import { Xarray } from '@faultline/core/xarray';
import type { MappableFile, UserMemory } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import type { IommufdDriver } from '../driver/index.ts';
import { FaultSink, reportsNothing } from '../fault-queue/index.ts';
import { FailPoint, RecordPool } from '../memory/index.ts';
import {
  CONTEXTS_REGION,
  DEVICE_IDS_REGION,
  FAULT_QUEUES_REGION,
  FDS_REGION,
  fdsWords,
  GROUPS_REGION,
  IDS_REGION,
  idsWords,
  MACHINE_REGION,
  POOLS,
  type PoolName,
  poolRegion,
  QUEUES_TAKEN,
  ROUTES_REGION,
} from './config.ts';
import { CONTEXT_WORDS, GROUP_WORDS } from './layout.ts';

/** What a thread brings along. */
export interface MachineParts {
  readonly arena: Arena;
  readonly self: ThreadSelf;
  readonly driver: IommufdDriver;
  /** The way in which this thread answers devices. */
  readonly ops: IommuOps;
  readonly generation?: Generation;
  /** For groups of domains that no fault queue is for. Default: they are answered Failure. */
  readonly work?: GroupSink;
  /** Where the thread's allocations are made to fail. Default: one of its own. */
  readonly fail?: FailPoint;
  /** This thread's view of the arena's fault path, where it has one already. Default: opened here. */
  readonly system?: IopfSystem;
  /** A process's memory, by its number. */
  memoryOf(mm: number): UserMemory;
  /** A memfd or device buffer, by its number. */
  fileOf(number: number): MappableFile;
}

/** @param access object. */
export type AccessUnmap = (context: Context, access: number, iova: bigint, length: bigint) => void;

/** @param objectAt word offset of the object. */
export type ObjectEnd = (context: Context, objectAt: number, object: number) => void;

/** One thread's view of all that is shared: the fault path, the pools, the contexts. Made by that thread, used by no other.
 * It starts offline: who reports, delivers or answers goes online for as long as that takes. */
export class Machine {
  readonly arena: Arena;
  readonly words: Words;
  readonly self: ThreadSelf;
  readonly system: IopfSystem;
  /** For reporting and answering. */
  readonly path: FaultPath;
  readonly ops: IommuOps;
  readonly driver: IommufdDriver;
  readonly fail: FailPoint;
  readonly pools: Readonly<Record<PoolName, RecordPool>>;
  /** What accesses of a kind do when a range is about to go, by ACCESS_KIND: they unpin what they have of it. */
  readonly accessUnmaps: Map<number, AccessUnmap> = new Map();
  /** How objects end that are not this package's own, by OBJ_*: those of a driver's tests. */
  readonly objectEnds: Map<number, ObjectEnd> = new Map();
  readonly contexts: number;
  readonly processes: number;
  readonly faultQueues: number;
  readonly #parts: MachineParts;
  readonly #deviceIds: number;

  /** @throws IommuError ENOENT the arena has no such machine. */
  constructor(parts: MachineParts) {
    const { arena, self } = parts;
    const { words } = arena;
    this.#parts = parts;
    this.fail = parts.fail ?? new FailPoint();
    this.arena = arena;
    this.words = words;
    this.self = self;
    this.driver = parts.driver;
    this.ops = parts.ops;
    this.system = parts.system ?? new IopfSystem(arena, self);
    const at = arena.base(MACHINE_REGION);
    this.contexts = words[at];
    this.processes = words[at + 1];
    this.faultQueues = words[at + 2];
    const queues = Array.from({ length: this.faultQueues }, (_, number) => this.faultQueueAt(number));
    const sink = new FaultSink({
      system: this.system,
      routes: this.routes,
      queues,
      work: parts.work ?? reportsNothing,
      fail: this.fail,
    });
    this.path = openFaultPath(parts.generation ?? 'lockless', this.system, parts.ops, sink);
    const pools: Partial<Record<PoolName, RecordPool>> = {};
    for (const name of Object.keys(POOLS) as PoolName[])
      pools[name] = new RecordPool(name, words, arena.base(poolRegion(name)), self, this.fail);
    this.pools = pools as Record<PoolName, RecordPool>;
    this.#deviceIds = arena.base(DEVICE_IDS_REGION);
  }

  memoryOf(mm: number): UserMemory {
    return this.#parts.memoryOf(mm);
  }
  fileOf(number: number): MappableFile {
    return this.#parts.fileOf(number);
  }

  /** Word offset of a context's row. @throws IommuError EINVAL */
  contextAt(context: number): number {
    if (!(context >= 1 && context <= this.contexts))
      throw new IommuError('EINVAL', 'Machine.contextAt', 'context', context, `must be from 1 to ${this.contexts}`);
    return this.arena.base(CONTEXTS_REGION) + context * CONTEXT_WORDS;
  }

  idsOf(context: number): Xarray {
    return new Xarray(this.words, this.arena.base(IDS_REGION) + context * idsWords());
  }

  groupAt(group: number): number {
    return this.arena.base(GROUPS_REGION) + group * GROUP_WORDS;
  }

  /** The id under which a device is bound, 0 while it is not. */
  deviceIdOf(device: number): number {
    return Atomics.load(this.words, this.#deviceIds + device);
  }
  setDeviceId(device: number, id: number): void {
    Atomics.store(this.words, this.#deviceIds + device, id);
  }

  /** Word offset of the domains' routes to fault queues. */
  get routes(): number {
    return this.arena.base(ROUTES_REGION);
  }

  /** Word offset of fault queue `number`. */
  faultQueueAt(number: number): number {
    const base = this.arena.base(FAULT_QUEUES_REGION);
    return base + number * (this.arena.sizeWords(FAULT_QUEUES_REGION) / this.faultQueues);
  }

  /** Where a process's descriptors are. */
  fdsOf(process: number): Xarray {
    return new Xarray(this.words, this.arena.base(FDS_REGION) + process * fdsWords());
  }

  /** Takes a fault queue that nobody uses. @returns its number. @throws IommuError ENOMEM */
  takeFaultQueue(call: string): number {
    const at = this.arena.base(MACHINE_REGION) + QUEUES_TAKEN;
    if (!this.fail.fails('fault queue'))
      for (let number = 0; number < this.faultQueues; number++)
        if ((Atomics.or(this.words, at, 1 << number) & (1 << number)) === 0) return number;
    throw new IommuError('ENOMEM', call, 'fault queues', this.faultQueues, 'all are in use');
  }

  /** Gives one back: it is empty, and nothing is routed to it. */
  giveFaultQueue(number: number): void {
    Atomics.and(this.words, this.arena.base(MACHINE_REGION) + QUEUES_TAKEN, ~(1 << number));
  }

  /** What is in use of every pool: all 0 when nothing leaked. */
  live(): Readonly<Record<PoolName, number>> {
    const live: Partial<Record<PoolName, number>> = {};
    for (const name of Object.keys(this.pools) as PoolName[]) live[name] = this.pools[name].live();
    return live as Record<PoolName, number>;
  }

  /** Runs what may wait for another thread, with this one offline: who waits holds nothing that a grace period is for, and must not
   * hold one up. Calls may be nested. */
  blocking<T>(body: () => T): T {
    const { reader } = this.system;
    if (!reader.isOnline()) return body();
    reader.offline();
    try {
      return body();
    } finally {
      reader.online();
    }
  }

  /** Runs what answers or frees groups, with this thread online, from within {@link blocking}. It waits for nobody. */
  answering<T>(body: () => T): T {
    const { reader } = this.system;
    if (reader.isOnline()) return body();
    reader.online();
    try {
      return body();
    } finally {
      this.path.endBatch();
      this.ops.flushResponses();
      reader.offline();
    }
  }

  /** Waits until no report is under way that found what this thread took away, and frees what waited for that. */
  synchronize(): void {
    this.blocking(() => {
      this.system.rcu.synchronize(this.self);
      this.system.deferredHandles.flush(this.self);
    });
  }

  /** Frees the fault parameters of devices that were removed here: a grace period for those that find them, before it one for those that are in
   * the middle of an answer, where there are such. */
  releaseParams(): void {
    const { rcu, deferredParams } = this.system;
    this.blocking(() => {
      if (!this.path.releaseOwn()) {
        rcu.synchronize(this.self); // an answer's counts go before its thread's quiescent state
        this.path.releaseOwn();
      }
      deferredParams.flush(this.self);
    });
  }

  close(): void {
    this.path.close();
    if (this.system.reader.isOnline()) this.system.reader.offline();
  }
}
