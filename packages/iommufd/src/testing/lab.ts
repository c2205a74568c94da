// A whole machine for tests and examples: arena, RAM, processes, and a driver, in one process or shared with its workers.
import { IommuError } from '@faultline/core/errors';
import type { IommuOps } from '@faultline/core/iopf';
import { Arena, planArena, type SharedArena } from '@faultline/core/memory';
import type { ThreadSelf } from '@faultline/core/sync';
import {
  type Caller,
  initPhysicalMemory,
  initProcessMemory,
  type MappableFile,
  PAGE_BYTES,
  PhysicalMemory,
  ProcessMemory,
  physicalMemoryWords,
  processMemoryWords,
} from '../caller/index.ts';
import { openFiles } from '../context/files.ts';
import type { IommufdDriver } from '../driver/index.ts';
import { type IommufdConfig, initIommufd, iommufdConfig, iommufdRegions, Machine } from '../machine/index.ts';
import { FailPoint } from '../memory/index.ts';

export interface LabConfig extends Partial<IommufdConfig> {
  /** Pages of RAM. Default 4096. */
  readonly frames?: number;
  /** Pages of each process's window. Default 4096. */
  readonly window?: number;
  /** Pages that a process may lock. Default no limit. */
  readonly lockLimit?: number;
}

/** What a worker needs to open the same lab (structured clone; memory is shared, not copied). */
export interface SharedLab {
  readonly arena: SharedArena;
  readonly ram: SharedArrayBuffer;
}

const RAM_REGION = 'lab.ram';
const processRegion = (process: number): string => `lab.process-${process}`;

/** Makes an empty machine. @param extra regions that a driver needs. */
export function createLab(
  config: LabConfig = {},
  extra: readonly { readonly name: string; readonly words: number }[] = [],
): SharedLab {
  const { frames = 4096, window = 4096, lockLimit, ...sizes } = config;
  const whole = iommufdConfig(sizes);
  const processes = Array.from({ length: whole.processes }, (_, i) => i + 1);
  const arena = Arena.create(
    planArena([
      ...iommufdRegions(whole),
      { name: RAM_REGION, words: physicalMemoryWords(frames) },
      ...processes.map((process) => ({ name: processRegion(process), words: processMemoryWords(window) })),
      ...extra,
    ]),
  );
  initIommufd(arena, whole);
  initPhysicalMemory(arena.words, arena.base(RAM_REGION), frames);
  for (const process of processes)
    initProcessMemory(arena.words, arena.base(processRegion(process)), window, lockLimit);
  return { arena: arena.share(), ram: new SharedArrayBuffer((frames + 1) * PAGE_BYTES) };
}

/** One thread's view of a lab. */
export interface Lab {
  readonly arena: Arena;
  readonly machine: Machine;
  readonly ram: PhysicalMemory;
  readonly processes: readonly ProcessMemory[];
  /** Process `number`, from 1, as a caller. */
  caller(number: number): Caller & { readonly memory: ProcessMemory };
  /** Files that can be mapped, by their number in the descriptor: a test puts its own there. */
  readonly mappable: Map<number, MappableFile>;
}

/** What a lab's driver is made of, in each thread. */
export interface LabDriver {
  readonly driver: IommufdDriver;
  readonly ops: IommuOps;
}

/** Opens a lab in this thread, once. @param makeDriver the driver's end in this thread. */
export function openLab(
  shared: SharedLab,
  makeDriver: (arena: Arena, self: ThreadSelf, ram: PhysicalMemory) => LabDriver,
  self: ThreadSelf = { id: 1, spins: 0 },
): Lab {
  const arena = Arena.open(shared.arena);
  const fail = new FailPoint();
  const ram = new PhysicalMemory(arena.words, arena.base(RAM_REGION), shared.ram, self, fail);
  const mappable = new Map<number, MappableFile>();
  const processes: ProcessMemory[] = [];
  const machine = new Machine({
    arena,
    self,
    fail,
    ...makeDriver(arena, self, ram),
    memoryOf: (mm) => processes[mm - 1],
    fileOf: (number) => {
      const file = mappable.get(number);
      if (file === undefined) throw new IommuError('EBADF', 'Lab.fileOf', 'number', number, 'no such file');
      return file;
    },
  });
  for (let process = 1; process <= machine.processes; process++)
    processes.push(new ProcessMemory(ram, arena.base(processRegion(process))));
  return {
    arena,
    machine,
    ram,
    processes,
    mappable,
    caller: (number) => ({
      mm: number,
      memory: processes[number - 1],
      files: openFiles(machine, number),
      privileged: true,
    }),
  };
}
