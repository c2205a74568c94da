// What of a preset is not known, and over which values a sweep takes it.
import {
  COST_NAMES,
  COST_TEXTS,
  type ModelConfig,
  modelConfigSchema,
  type Preset,
  withParameter,
} from '../model/index.ts';

/** One parameter with another value. */
export interface GuessPoint {
  /** By dot path. */
  readonly path: string;
  readonly value: unknown;
  /** For people: `× 4`, `sleep`. */
  readonly label: string;
}

export interface Guess {
  readonly path: string;
  readonly given: unknown;
  readonly text: string;
  readonly points: readonly GuessPoint[];
}

/** Values for what is no amount, or is one whose multiples say little. */
const RANGES: Readonly<Record<string, readonly unknown[]>> = {
  devices: [2, 8],
  lockSpins: [false],
  hardwareOnProcessor: [],
  deviceOnProcessor: [],
  jobWait: ['sleep', 'poll'],
  windows: [1, 4],
  passes: [2, 4],
  deviceEngines: [4, 0],
  buffers: ['keep', 'discard', 'remap'],
  cacheMiB: [64],
  'scanner.migrateShare': [0, 1],
  'scanner.cpuTouchShare': [0.5, 1],
  // Published, yet open how they apply: which job the table has, whether the scan period adapts, which reading of the limit holds.
  pagesPerJob: [128, 2048],
  'scanner.periodMs': [4000, 60_000],
  maxActive: [32, 1024],
};

const OPEN: Readonly<Record<string, string>> = {
  pagesPerJob: 'published for another job; which one the table has is not said',
  'scanner.periodMs': 'published as the least; whether the period stayed there is not known',
  maxActive: 'published; for how many processors it held depends on the reading',
};

export function guessesOf(preset: Preset, factors: readonly number[]): Guess[] {
  const parameters = Object.entries(preset.parameters).filter(([path, { kind }]) => kind === 'guess' || path in OPEN);
  return [
    ...parameters.map(([path, { value, source }]) => guessOf(preset, path, value, OPEN[path] ?? source, factors)),
    ...COST_NAMES.filter((name) => preset.costs[name].kind === 'guess').map((name) =>
      guessOf(preset, `costs.${name}`, preset.costs[name].ns, COST_TEXTS[name], factors),
    ),
  ].filter(({ points }) => points.length > 0);
}

function guessOf(preset: Preset, path: string, given: unknown, text: string, factors: readonly number[]): Guess {
  const ranged = RANGES[path]?.filter((value) => value !== given).map((value) => ({ value, label: `${value}` }));
  const points = ranged ?? (typeof given === 'number' && given > 0 ? multiples(path, given, factors) : []);
  return {
    path,
    given,
    text,
    points: points.map((point) => ({ path, ...point })).filter((point) => isPossible(preset.config, point)),
  };
}

function multiples(path: string, given: number, factors: readonly number[]): { value: number; label: string }[] {
  const isAmount = path.startsWith('costs.') || path.endsWith('Us') || path.endsWith('Ns') || path.endsWith('Ms');
  return factors.map((factor) => ({
    value: isAmount ? given * factor : Math.max(1, Math.round(given * factor)),
    label: factor < 1 ? `÷ ${1 / factor}` : `× ${factor}`,
  }));
}

function isPossible(config: ModelConfig, { path, value }: GuessPoint): boolean {
  const { remove: _, loadSteps: __, ...rest } = withParameter({ ...config, threads: 1024 }, path, value);
  return modelConfigSchema.safeParse(rest).success;
}
