// iommufd whole, in small: a machine with one context, a few devices behind an IOMMU that does nothing, and one fault queue.
import {
  balance,
  type CheckContext,
  type Context,
  type Racy,
  type Region,
  type ThreadContext,
} from '@faultline/bench/explore';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_PERM_READ,
  FAULT_TOKEN,
  IopfSystem,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { answersRegion, CountingOps } from './answers.ts';
import { cookieNames, filePoolNames, iommuRacy, objectPoolNames, QUEUE, xarrayNames } from './iommu-names.ts';
import {
  type Args,
  type Caller,
  type Command,
  callCommand,
  FaultFile,
  FaultQueue,
  type GroupKeys,
  Context as IommuContext,
  type IommufdConfig,
  initIommufd,
  iommufdConfig,
  iommufdRegions,
  Machine,
  openContext,
  openFiles,
  type Struct,
} from './iommufd.ts';
import { systemNames } from './names.ts';
import { StillDriver } from './still-driver.ts';
import { UserRecords, userRegion } from './user-records.ts';

const TINY: Partial<IommufdConfig> = {
  devices: 2,
  domains: 3,
  threads: 3,
  requests: 4,
  workEntries: 2,
  sharing: 'shared',
  checked: false,
  contexts: 1,
  processes: 1,
  objects: 10,
  ioas: 2,
  areas: 4,
  pages: 2,
  pins: 2,
  ranges: 4,
  attachments: 8,
  files: 4,
  faultQueues: 1,
  veventqs: 2,
  events: 4,
};

/** Blocks of a context's ids, and of a process's descriptors (machine/config.ts). */
const ID_NODES = 8;
const FD_NODES = 2;

export interface IommuOptions extends Partial<IommufdConfig> {
  /** Regions of the scenario's own. */
  readonly regions?: readonly Region[];
}

/** What a thread uses, as its own. */
export interface IommuThread {
  readonly machine: Machine;
  readonly context: IommuContext;
  readonly caller: Caller;
  /** The user's buffer: record i is at address 40 i. */
  readonly user: UserRecords;
  /** The fault queue's file. */
  file(): FaultFile;
  /** The fault queue, under other keys than cookies where they are given. */
  queue(keys?: GroupKeys): FaultQueue;
  /** An ioctl. */
  call<S extends Struct>(command: Command<S>, args: Partial<Args<S>>): Args<S>;
  /** A device faults, once: its driver reports the request and ends the batch. */
  fault(request: { readonly device?: number; readonly grpid: number; readonly last?: boolean }): void;
}

/** A scenario's machine: its memory, its start, and each thread's view of it. */
export class IommuSystem {
  readonly #config: IommufdConfig;
  readonly #regions: readonly Region[];

  constructor({ regions = [], ...sizes }: IommuOptions = {}) {
    this.#config = iommufdConfig({ ...TINY, ...sizes });
    this.#regions = regions;
  }

  /** For `memory`. */
  readonly memory = (): readonly Region[] => {
    const config = this.#config;
    const regions = iommufdRegions(config);
    const arena = Arena.create(planArena(regions));
    initIommufd(arena, config);
    const names: Readonly<Record<string, Region['fields']>> = {
      ...systemNames(new IopfSystem(arena, { id: 1, spins: 0 }), config),
      'iommufd.fault-queues': {
        ...QUEUE,
        ...cookieNames(arena.words[arena.base('iommufd.fault-queues') + QUEUE.COOKIES], config.requests),
      },
      'iommufd.ids': xarrayNames('id', arena.sizeWords('iommufd.ids') / (config.contexts + 1), ID_NODES),
      'iommufd.fds': xarrayNames('fd', arena.sizeWords('iommufd.fds') / (config.processes + 1), FD_NODES),
      'iommufd.objects': objectPoolNames(config.objects),
      'iommufd.files': filePoolNames(config.files),
    };
    return [
      ...regions.map((region) => ({ ...region, fields: names[region.name] ?? {} })),
      answersRegion(config.devices),
      userRegion,
      ...this.#regions,
    ];
  };

  /** For `racy`. */
  get racy(): readonly Racy[] {
    return iommuRacy(this.memory);
  }

  /** For `setup`: makes the machine and a context, and has one thread bring them to where the schedules start. */
  setup(prepare: (first: IommuThread) => void): (context: Context) => void {
    return (context) => {
      initIommufd(Arena.open(context.shared), this.#config);
      const machine = openMachine(context, { id: 1, spins: 0 });
      openContext(machine);
      prepare(this.#thread(context, machine));
      machine.close();
    };
  }

  /** For `open`: this thread's view. */
  open(context: ThreadContext): IommuThread {
    return this.#thread(context, openMachine(context, context.self));
  }

  /** For `check` and `guard`. */
  at(context: Context): IommuThread {
    return this.#thread(context, openMachine(context, { id: 1, spins: 0 }));
  }

  #thread(context: Context, machine: Machine): IommuThread {
    const opened = new IommuContext(machine, 1);
    const user = new UserRecords(context);
    const caller: Caller = { mm: 1, memory: user, files: openFiles(machine, 1), privileged: true };
    return {
      machine,
      context: opened,
      caller,
      user,
      file: () => new FaultFile(machine, 0),
      queue(keys) {
        const parts = { system: machine.system, path: machine.path, ops: machine.ops, base: machine.faultQueueAt(0) };
        return new FaultQueue(keys === undefined ? parts : { ...parts, keys });
      },
      call: (command, args) => callCommand(opened, caller, command, args),
      fault: (request) => machine.answering(() => void report(machine, request)),
    };
  }

  /** Throws unless every record of every pool has been given back. */
  expectNothingLeft(context: CheckContext): void {
    const live = Object.entries(this.at(context).machine.live());
    balance(Object.fromEntries(live.map(([name, count]) => [`${name} in use at the end`, [count, 0] as const])));
  }

  /** Throws unless nothing that came from a device is left, but `requests` of its requests. */
  expectSettled(context: CheckContext, requests = 0): void {
    const { machine } = this.at(context);
    const live = machine.system.requests.live();
    if (live !== requests) throw new Error(`${live} requests and groups are in use at the end, not ${requests}`);
  }
}

function openMachine(context: Context, self: ThreadContext['self']): Machine {
  const { words } = context;
  return new Machine({
    arena: Arena.open(context.shared),
    self,
    driver: new StillDriver(),
    ops: new CountingOps(words, context.at('answers')),
    memoryOf: () => new UserRecords(context),
    fileOf(number) {
      throw new Error(`no file ${number}`);
    },
  });
}

function report(
  { path, words }: Machine,
  { device = 1, grpid, last = true }: { readonly device?: number; readonly grpid: number; readonly last?: boolean },
): void {
  const at = path.prepareFault();
  words[at + FAULT_DEVICE] = device;
  words[at + FAULT_FLAGS] = last ? FAULT_FLAG_LAST_PAGE : 0;
  words[at + FAULT_PASID] = 0;
  words[at + FAULT_GRPID] = grpid;
  words[at + FAULT_PERM] = FAULT_PERM_READ;
  words[at + FAULT_PAGE_LO] = grpid;
  words[at + FAULT_PAGE_HI] = 0;
  words[at + FAULT_TOKEN] = 0;
  path.reportDeviceFault(at);
  path.endBatch();
}
