// What a stress run is made of. One schema checks the command line, scenario files and stored results, so that a limit is written once.
import { GENERATIONS, type Generation } from '@faultline/core/iopf';
import { MISBEHAVIOURS, type Misbehaviour } from '@faultline/hw/pcie';
import { z } from 'zod';
import { DEVICES_PER_BATCH } from '../stress/family/family.ts';

export { GENERATIONS, type Generation, MISBEHAVIOURS, type Misbehaviour };

/** IOMMU families that faults can come through. */
export const IOMMUS = ['smmu-v3', 'vtd', 'amd'] as const;
export type IommuName = (typeof IOMMUS)[number];

/** Who handles faults. */
export const HANDLERS = ['sva', 'noop', 'iommufd'] as const;
export type HandlerName = (typeof HANDLERS)[number];

export interface StressParameters {
  /** The IOMMU that the devices are behind. */
  iommu: IommuName;
  /** Device threads, one cell each: 1 to 4096, each once. */
  threads: number[];
  /** Fault paths that run side by side, each once. */
  generations: Generation[];
  /** Length of a cell in faults. Exactly one of `faults` and `seconds` is set. */
  faults?: number;
  /** Length of a cell in seconds. */
  seconds?: number;
  /** How often each cell is measured. */
  repeats: number;
  /** Devices that the threads are spread over; no more than the smallest thread count. */
  devices: number;
  /** Records in the IOMMU's queue of faults: a power of two from 8 to 2^19, and what the family takes. */
  queueEntries: number;
  /** Pages that one job touches, 1 to 512. */
  pagesPerJob: number;
  /** Pages of a job that an endpoint asks for in one page request group at most, 1 to 512. Stalls have no groups: 1 with smmu-v3. */
  groupPages: number;
  /** Endpoints keep translations, so that unmapping has their caches invalidated. PCIe families alone. */
  atc: boolean;
  /** One more device beside the good ones, whose endpoint does this wrong. PCIe families alone. */
  misbehave?: Misbehaviour;
  /** Handler threads; with `iommufd` the fault file's readers. */
  handlers: number;
  /** The work queue's limit on groups in work at once. */
  maxActive: number;
  /** Milliseconds in which the page scanner goes once round all pages of the jobs; 0 = no scanner. Linux: 1 s to 60 s. */
  scanner: number;
  /** One access's limit from first touch to completion, in milliseconds: the device fails the job past it. */
  timeoutMs: number;
  /** Measure every cell once more with the scanner off, to see where the knee moves. Without a scanner it means nothing. */
  compareScanner: boolean;
  /** How often a lock looks again before it sleeps. 0 where more threads are busy than there are processors. */
  spins: number;
  /** Seed of the order in which the generations take turns in each repeat, 0 to 2^32 - 1. */
  seed: number;
  /** Device threads packed into one worker thread; 1 = every device thread is a worker. */
  threadsPerWorker: number;
  /** Transactions that a device may hold stalled at once: tags have 16 bits. */
  stallMax: number;
  /** `split` = counters per thread, summed when somebody waits for zero; `shared` = one word each, for comparison. */
  sharing: 'split' | 'shared';
  /** On replacing a domain, flush only the old domain's groups. */
  lightFlush: boolean;
  /** Milliseconds between two replacements of a device's domain under load; 0 = domains stay. */
  replaceEveryMs: number;
  /** `sva` populates pages of an address space; `iommufd` has user space do it, through the fault file; `noop` answers at once, to
   * measure the path alone: a resumed access is then done. */
  handler: HandlerName;
  /** Measure what each stage of a fault takes, on a sample of the pages. Not with `iommufd`. */
  stages?: boolean;
  /** Faults that jobs under way may cause together, where the fault path admits jobs (`adaptive`): further ones wait before they begin.
   * One job at least; 0 = none waits. */
  credits?: number;
}

export type ParameterName = keyof StressParameters;

// Limits that are not ours to choose: the records and tags of the hardware.
const MAX_THREADS = 4096;
const MIN_QUEUE_ENTRIES = 8;
const MAX_QUEUE_ENTRIES = 2 ** 19; // SMMUv3 caps an event queue's size at 2^19 records (IDR1.EVENTQS)
/** VT-d's queue is 1 to 128 pages of 128 descriptors; AMD's log has a length code from 8 to 15. */
const QUEUE_LIMITS: Record<IommuName, readonly [number, number]> = {
  'smmu-v3': [MIN_QUEUE_ENTRIES, MAX_QUEUE_ENTRIES],
  vtd: [128, 16_384],
  amd: [256, 32_768],
};
/** Page request group indices of a PCIe function: each thread needs one of its own. */
const GROUPS_PER_DEVICE = 512;
/** Entries of the queue that answers and invalidations go out by, at most: 128 pages of 128 descriptors, a length code of 15. */
const COMMAND_LIMITS: Record<Exclude<IommuName, 'smmu-v3'>, number> = { vtd: 16_384, amd: 32_768 };
const MAX_STALLS = 65_535; // IDR5.STALL_MAX has 16 bits

/** One check a number, so that a value is refused once, with one sentence. */
function number(why: string, isRight: (value: number) => boolean): z.ZodType<number> {
  return z.number({ error: why }).refine(isRight, why);
}

function whole(min: number, max: number): z.ZodType<number> {
  return number(
    `must be a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && value >= min && value <= max,
  );
}

function fraction(above: number, max: number): z.ZodType<number> {
  return number(`must be a number above ${above}, up to ${max}`, (value) => value > above && value <= max);
}

function powerOfTwo(min: number, max: number): z.ZodType<number> {
  return number(
    `must be a power of two from ${min} to ${max}`,
    (value) => Number.isInteger(Math.log2(value)) && value >= min && value <= max,
  );
}

function oneOf<const T extends readonly string[]>(names: T): z.ZodType<T[number]> {
  return z.enum(names, { error: `must be one of ${names.join(', ')}` });
}

function listOf<T>(item: z.ZodType<T>, what: string): z.ZodType<T[]> {
  return z
    .array(item, { error: `must be a list of ${what}` })
    .min(1, `must name at least one of ${what}`)
    .superRefine((values, context) => {
      values.forEach((value, index) => {
        if (values.indexOf(value) !== index) {
          context.addIssue({ code: 'custom', path: [index], input: value, message: 'is there twice' });
        }
      });
    });
}

/** One schema a field: the scenario reader and the command line look fields up here. */
export const parameterFields: { [K in ParameterName]-?: z.ZodType<NonNullable<StressParameters[K]>> } = {
  iommu: oneOf(IOMMUS),
  threads: listOf(whole(1, MAX_THREADS), 'thread counts'),
  generations: listOf(oneOf(GENERATIONS), `generations (${GENERATIONS.join(', ')})`),
  faults: whole(1, 2 ** 31 - 1),
  seconds: fraction(0, 3600),
  repeats: whole(1, 1000),
  devices: whole(1, 1024),
  queueEntries: powerOfTwo(MIN_QUEUE_ENTRIES, MAX_QUEUE_ENTRIES),
  pagesPerJob: whole(1, 512),
  groupPages: whole(1, 512),
  atc: z.boolean({ error: 'must be true or false' }),
  misbehave: oneOf(MISBEHAVIOURS),
  handlers: whole(1, 1024),
  maxActive: whole(1, 65536),
  scanner: whole(0, 3_600_000),
  timeoutMs: whole(1, 200_000), // ticks of 100 ns wrap at 214 s
  spins: whole(0, 1_000_000),
  compareScanner: z.boolean({ error: 'must be true or false' }),
  seed: whole(0, 2 ** 32 - 1),
  threadsPerWorker: whole(1, MAX_THREADS),
  stallMax: whole(1, MAX_STALLS),
  sharing: oneOf(['split', 'shared']),
  lightFlush: z.boolean({ error: 'must be true or false' }),
  replaceEveryMs: whole(0, 3_600_000),
  handler: oneOf(HANDLERS),
  stages: z.boolean({ error: 'must be true or false' }),
  credits: whole(0, 2 ** 30),
};

export const parametersSchema: z.ZodType<StressParameters> = z
  .strictObject({
    ...parameterFields,
    faults: parameterFields.faults.exactOptional(),
    seconds: parameterFields.seconds.exactOptional(),
    misbehave: parameterFields.misbehave.exactOptional(),
    stages: parameterFields.stages.exactOptional(),
    credits: parameterFields.credits.exactOptional(),
  })
  .superRefine((all, context) => {
    const refuse = (field: ParameterName, input: unknown, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], input, message });
    if (all.faults === undefined && all.seconds === undefined) {
      refuse('seconds', undefined, 'a cell needs a length: give faults or seconds');
    }
    if (all.faults !== undefined && all.seconds !== undefined) {
      refuse('seconds', all.seconds, `a cell has one length, and faults = ${all.faults} is given too`);
    }
    if (all.stages === true && all.handler === 'iommufd')
      refuse('stages', all.stages, 'the fault file has other stages than the work queue: needs sva or noop');
    const fewest = Math.min(...all.threads);
    // A thread count that is refused itself is no limit for another field.
    if (fewest >= 1 && all.devices > fewest)
      refuse('devices', all.devices, `must not exceed the smallest thread count, ${fewest}`);
    if (all.iommu === 'smmu-v3') {
      const other = IOMMUS.filter((name) => name !== all.iommu).join(' or ');
      if (all.groupPages !== 1)
        refuse('groupPages', all.groupPages, `a stalled access is a group of its own: needs ${other}`);
      if (all.atc) refuse('atc', all.atc, `a device that stalls keeps no translations: needs ${other}`);
      if (all.misbehave !== undefined)
        refuse('misbehave', all.misbehave, `these are faults of PCIe endpoints: needs ${other}`);
      return;
    }
    const most = Math.max(...all.threads);
    if (most > all.devices * GROUPS_PER_DEVICE)
      refuse(
        'devices',
        all.devices,
        `a PCIe function has ${GROUPS_PER_DEVICE} groups, and ${most} threads want one each`,
      );
    const [min, max] = QUEUE_LIMITS[all.iommu];
    if (all.queueEntries < min || all.queueEntries > max)
      refuse('queueEntries', all.queueEntries, `must be a power of two from ${min} to ${max} with ${all.iommu}`);
    // A thread that waits for room takes no invalidation meanwhile, and the one ahead may be waiting for just that.
    const limit = COMMAND_LIMITS[all.iommu];
    const needed = commandsInFlight(all);
    if (all.atc && needed >= limit)
      refuse('atc', all.atc, `${needed} commands may be under way, and the queue of ${all.iommu} holds ${limit - 1}`);
  });

/** Answers and invalidations that all threads together can have under way where endpoints keep translations. */
export function commandsInFlight(all: StressParameters): number {
  const issuers = Math.ceil(Math.max(...all.threads) / all.threadsPerWorker) + all.handlers + 2;
  return all.queueEntries + issuers * (Math.min(all.devices + 1, DEVICES_PER_BATCH) + 3);
}

/** One value that was refused. */
export interface ParameterProblem {
  /** Field name first, then the index in a list. */
  readonly path: readonly (string | number)[];
  readonly value: unknown;
  readonly why: string;
}

/** Parameters that cannot be run. Every problem is in it, not the first alone. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
  readonly problems: readonly ParameterProblem[];
  constructor(problems: readonly ParameterProblem[]) {
    super(problems.map(showProblem).join('; '));
    this.problems = problems;
  }
}

export function showProblem({ path, value, why }: ParameterProblem): string {
  return `${showPath(path)} = ${JSON.stringify(value) ?? 'nothing'}: ${why}`;
}

/** @returns e.g. `threads[1]`. */
function showPath(path: readonly (string | number)[]): string {
  return path.map((step, depth) => (typeof step === 'number' ? `[${step}]` : depth === 0 ? step : `.${step}`)).join('');
}

/** Checks a whole set of parameters.
 * @throws ParameterError naming each field, its value and what it must be. */
export function parseParameters(input: Record<string, unknown>): StressParameters {
  const result = parametersSchema.safeParse(input);
  if (result.success) return result.data;
  throw new ParameterError(problemsOf(result.error, input));
}

/** Zod's issues as problems, with the value that stood at each path. */
export function problemsOf(error: z.ZodError, input: unknown): ParameterProblem[] {
  return error.issues.flatMap((issue): ParameterProblem[] => {
    const path = issue.path as (string | number)[];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key],
        value: valueAt(input, [...path, key]),
        why: 'is no parameter',
      }));
    }
    return [{ path, value: valueAt(input, path), why: issue.message }];
  });
}

function valueAt(input: unknown, path: readonly (string | number)[]): unknown {
  let at = input;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
