// The options of `explore`, and what their text says.
import { type Command, Option } from 'commander';
import type { Bounds, Strategy } from '../../explore/scenario.ts';
import { UsageError } from '../request.ts';

/** As commander hands them over. */
export interface ExploreOptions {
  readonly design?: string;
  readonly list?: boolean;
  readonly all?: boolean;
  readonly json?: string;
  readonly markdown?: string;
  readonly html?: string;
  readonly save?: string;
  readonly strategy?: string;
  readonly seed?: string;
  readonly schedules?: string;
  readonly seconds?: string;
  readonly steps?: string;
  readonly twice?: boolean;
  readonly unchecked?: boolean;
  readonly replay?: string;
  readonly resume?: string;
}

export function addOptions(command: Command): void {
  command
    .option('--list', 'name the scenarios, their designs and what is expected of each')
    .option('--all', 'explore every scenario')
    .option('--design <name>', 'one design of those that the scenario has')
    .option('--json <file>', 'write the table as JSON')
    .option('--markdown <file>', 'write what was asked and found as a document')
    .option('--html <file>', 'draw what was found as a sequence diagram')
    .option('--save <file>', 'save what was found as a vitest file that replays it')
    .option('--strategy <which>', 'dpor, bounded:N (at most N preemptions), pct:N (depth N) or random')
    .option('--seed <n>', 'seed of the random strategies')
    .option('--schedules <n>', 'most schedules')
    .option('--seconds <n>', 'most seconds')
    .option('--steps <n>', 'most steps of a schedule')
    .option('--twice', 'run every schedule twice, and refuse code whose operations differ')
    .option('--unchecked', 'do not check plain accesses for races: faster')
    .addOption(
      new Option('--replay <token>', 'run the one schedule that a finding names').conflicts([
        ...['all', 'list', 'resume', 'strategy', 'seed', 'schedules', 'seconds', 'twice'],
      ]),
    )
    .addOption(
      new Option('--resume <token>', 'go on where an exploration was interrupted or cut').conflicts([
        'all',
        'list',
        'strategy',
        'seed',
      ]),
    );
}

const DEFAULT_SEED = 1;

/** @returns what to explore with, or undefined where that is the scenario's affair.
 * @param own the scenario's strategy: a seed alone changes the seed of that.
 * @throws UsageError naming the option. */
export function readStrategy(options: ExploreOptions, own: Strategy | undefined): Strategy | undefined {
  const seed = options.seed === undefined ? undefined : whole('--seed', options.seed, 0, 2 ** 32 - 1);
  if (options.strategy === undefined) {
    return seed !== undefined && (own?.kind === 'pct' || own?.kind === 'random') ? { ...own, seed } : undefined;
  }
  const [kind, figure, ...rest] = options.strategy.split(':');
  const bad = (): never => {
    throw new UsageError(`--strategy = ${JSON.stringify(options.strategy)}: must be dpor, bounded:N, pct:N or random`);
  };
  if (rest.length > 0) bad();
  if (kind === 'bounded' || kind === 'pct') {
    if (figure === undefined) bad();
    const count = whole('--strategy', figure, kind === 'pct' ? 1 : 0, 100);
    return kind === 'pct' ? { kind, depth: count, seed: seed ?? DEFAULT_SEED } : { kind, preemptions: count };
  }
  if (figure !== undefined) bad();
  if (kind === 'random') return { kind, seed: seed ?? DEFAULT_SEED };
  return kind === 'dpor' ? { kind } : bad();
}

/** @throws UsageError naming the option. */
export function readBounds(options: ExploreOptions): Bounds | undefined {
  const bounds: { -readonly [Name in keyof Bounds]: number } = {};
  if (options.schedules !== undefined) bounds.schedules = whole('--schedules', options.schedules, 1, 2 ** 31 - 1);
  if (options.steps !== undefined) bounds.steps = whole('--steps', options.steps, 1, 2 ** 31 - 1);
  if (options.seconds !== undefined) {
    const seconds = Number(options.seconds);
    if (options.seconds.trim() === '' || !(seconds > 0 && seconds <= 1e6))
      throw new UsageError(`--seconds = ${JSON.stringify(options.seconds)}: must be a number above 0, up to 1000000`);
    bounds.seconds = seconds;
  }
  return Object.keys(bounds).length > 0 ? bounds : undefined;
}

function whole(option: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`${option} = ${JSON.stringify(text)}: must be a whole number from ${min} to ${max}`);
  return value;
}
