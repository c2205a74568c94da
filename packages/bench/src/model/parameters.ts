// A configuration's parameters by name, so that files and sweeps can set them: `scanner.periodMs`, `costs.handler.populate`.
import { z } from 'zod';
import { MODEL_GENERATIONS, type ModelConfig } from './config.ts';
import { COST_NAMES, type CostName } from './costs/names.ts';
import { costTableSchema } from './costs/schema.ts';
import { MAX_PROCESSORS } from './machine/processors.ts';
import { SUSPECT_NAMES } from './suspects.ts';

const whole = (min: number, max: number): z.ZodType<number> => z.number().int().min(min).max(max);
const share: z.ZodType<number> = z.number().min(0).max(1);
const above0: z.ZodType<number> = z.number().gt(0);

const scannerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('round'), periodMs: above0, chunkPages: whole(1, 2 ** 20) }),
  z.strictObject({
    kind: z.literal('numa'),
    scanMiB: whole(1, 2 ** 20),
    periodMs: above0,
    floorMs: above0,
    chunkPages: whole(1, 2 ** 20),
    otherPagesPerThread: whole(0, 2 ** 20),
    migrateShare: share,
    cpuTouchShare: share,
  }),
]);

const adaptiveSchema = z.strictObject({
  coalescePerPage: z.boolean(),
  boundHandlersToProcessors: z.boolean(),
  batchedResponses: z.boolean(),
  pinUntilUsedRounds: whole(0, 255),
  admissionCredits: whole(0, 2 ** 30),
  interruptPumps: whole(1, 1024),
});

export const modelConfigSchema: z.ZodType<ModelConfig> = z
  .strictObject({
    generation: z.enum(MODEL_GENERATIONS),
    threads: whole(1, 16_384),
    devices: whole(1, 1024),
    processors: whole(1, MAX_PROCESSORS),
    sliceUs: above0,
    wakeAheadUs: z.number().min(0),
    lockSpins: z.boolean(),
    hardwareOnProcessor: z.boolean(),
    deviceOnProcessor: z.boolean(),
    jobWait: z.enum(['sleep', 'poll']),
    handlers: whole(1, 4096),
    handlerBatch: whole(1, 1024),
    maxActive: whole(1, 65_536),
    interruptThreads: whole(1, 1024),
    interruptBatch: whole(1, 1024),
    interruptRealTime: z.boolean(),
    queueEntries: whole(1, 2 ** 19),
    commandQueue: z.enum(['own', 'shared']),
    stallMax: whole(1, 2 ** 20),
    pagesPerJob: whole(1, 65_536),
    windows: whole(1, 65_536),
    passes: whole(1, 65_536),
    jobComputeNs: z.number().min(0),
    deviceEngines: whole(0, 65_536),
    buffers: z.enum(['keep', 'discard', 'remap']),
    scanner: scannerSchema,
    cacheMiB: z.number().min(0),
    timeoutMs: above0,
    costs: costTableSchema,
    locks: z.boolean(),
    mmapLock: z.boolean(),
    invalidations: z.boolean(),
    adaptive: adaptiveSchema,
    seconds: above0.exactOptional(),
    faults: whole(1, 2 ** 40).exactOptional(),
    warmupSeconds: z.number().min(0),
    seriesMs: above0,
    grain: whole(1, 4096),
    loadSteps: z.array(z.strictObject({ atSeconds: z.number().min(0), threads: whole(0, 16_384) })).exactOptional(),
    remove: z.array(z.enum(SUSPECT_NAMES)).exactOptional(),
  })
  .refine((config) => config.threads >= config.devices, 'devices: must not exceed the number of threads')
  .refine(
    ({ grain, queueEntries, stallMax }) => grain <= queueEntries && grain <= stallMax,
    'grain: what travels together must find room in the queue and among the stalls',
  );

const COSTS = 'costs.';

/** @returns a parameter's value by its dot path. @throws RangeError no such parameter. */
export function parameterOf(config: ModelConfig, path: string): unknown {
  const cost = costName(path);
  if (cost !== undefined) return config.costs[cost].ns;
  const [name, inner] = path.split('.');
  const value: unknown = (config as unknown as Record<string, unknown>)[name];
  const found = inner === undefined ? value : (value as Record<string, unknown> | undefined)?.[inner];
  if (found === undefined) throw new RangeError(`${path}: no such parameter`);
  return found;
}

/** @returns the configuration with one parameter changed: of a cost, its nanoseconds. @throws RangeError no such parameter. */
export function withParameter(config: ModelConfig, path: string, value: unknown): ModelConfig {
  parameterOf(config, path);
  const cost = costName(path);
  if (cost !== undefined)
    return { ...config, costs: { ...config.costs, [cost]: { ...config.costs[cost], ns: value as number } } };
  const [name, inner] = path.split('.');
  if (inner === undefined) return { ...config, [name]: value };
  const outer = (config as unknown as Record<string, Record<string, unknown>>)[name];
  return { ...config, [name]: { ...outer, [inner]: value } };
}

function costName(path: string): CostName | undefined {
  if (!path.startsWith(COSTS)) return undefined;
  const name = path.slice(COSTS.length) as CostName;
  if (!COST_NAMES.includes(name)) throw new RangeError(`${path}: no such parameter`);
  return name;
}
