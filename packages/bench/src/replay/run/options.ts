import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { defaultParameters } from '../../scenario/defaults.ts';
import {
  GENERATIONS,
  type Generation,
  HANDLERS,
  type HandlerName,
  parseParameters,
  type StressParameters,
} from '../../scenario/parameters.ts';

/** How a trace is replayed. */
export interface ReplayOptions {
  iommu: 'vtd' | 'amd';
  generation: Generation;
  handler: HandlerName;
  /** Times as fast as the trace; Infinity: as fast as it goes. */
  speed: number;
  /** Devices of the trace that there is a place for. */
  devices: number;
  handlers: number;
  maxActive: number;
  queueEntries: number;
}

const whole = (min: number, max: number): z.ZodType<number> => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, error).max(max, error);
};

export const replayOptionsSchema: z.ZodType<ReplayOptions> = z.strictObject({
  iommu: z.enum(['vtd', 'amd'], {
    error: 'must be vtd or amd: a trace of page requests has groups, which stalled accesses have not',
  }),
  generation: z.enum(GENERATIONS, { error: `must be one of ${GENERATIONS.join(', ')}` }),
  handler: z.enum(HANDLERS, { error: `must be one of ${HANDLERS.join(', ')}` }),
  speed: z.custom<number>((value) => typeof value === 'number' && value > 0, 'must be a number above 0, or max'),
  devices: whole(1, 256),
  handlers: whole(1, 1024),
  maxActive: whole(1, 65536),
  queueEntries: whole(256, 16384),
});

export function defaultReplayOptions(): ReplayOptions {
  const { handlers, maxActive } = defaultParameters('stress', false);
  return {
    ...{ iommu: 'vtd', generation: 'mainline', handler: 'sva', speed: 1, devices: 16 },
    ...{ handlers, maxActive, queueEntries: 16384 },
  };
}

/** Pages of the address space: so many that few pages of a trace fold onto one another, and the memory that they take is bounded. */
const PAGES = 16384;
/** A group has so many pages at most; with more than one, groups are counted apart from pages. */
const GROUP_PAGES = 512;

/** The stress run that a replay is, but for its device threads: each of these is a place for a device of the trace.
 * @throws ParameterError */
export function parametersOf(options: ReplayOptions): StressParameters {
  const { iommu, generation, handler, devices, handlers, maxActive, queueEntries } = options;
  return parseParameters({
    ...defaultParameters('stress', false),
    ...{ iommu, handler, devices, handlers, maxActive, queueEntries },
    generations: [generation],
    threads: [devices],
    pagesPerJob: Math.min(512, Math.max(64, Math.floor(PAGES / 2 / devices))),
    groupPages: GROUP_PAGES,
    stallMax: 65_535,
    threadsPerWorker: Math.ceil(devices / Math.min(devices, availableParallelism())),
    repeats: 1,
  });
}

/** Pages that traced ones are folded into: a power of two that the address space has room for and its first page is a multiple of. */
export function foldedPages({ handler, threads, pagesPerJob }: StressParameters, windows: number): number {
  if (handler === 'noop') return 0;
  return Math.min(PAGES, 2 ** Math.floor(Math.log2(threads[0] * pagesPerJob * windows)));
}
