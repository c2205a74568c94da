// Times of the machine's stages, cycle after cycle, all in one thread.
import { quantile } from 'simple-statistics';
import { HANDLER_BATCH, type Machine, PUMP_BATCH } from './machine.ts';

/** Nanoseconds: the middle of the cycles, with the 5th and 95th percentile. */
export interface Timing {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  readonly cycles: number;
}

/** Of one item, and of one turn or batch whatever it holds. */
export interface StageTiming {
  readonly item: Timing;
  readonly turn: Timing;
}

export const STAGES = ['record', 'report', 'handle', 'resume'] as const;
export type StageName = (typeof STAGES)[number];

export interface StageTimes extends Record<StageName, StageTiming> {
  /** A page that is absent looked at and asked for; and the round besides. */
  readonly stall: Timing;
  readonly collect: Timing;
  readonly touch: Timing;
  /** As `handle`, of pages that the scanner took. On threads of their own alone. */
  readonly handleTaken: Timing;
  readonly discard: Timing;
  /** An invalidation with its sync, written; and taken by the hardware. Without a core alone. */
  readonly notify: Timing;
  readonly invalidate: Timing;
}

/** By stage: nanoseconds an item, one figure a cycle. A 1 behind the name: with turns of one item. */
export type Samples = Record<string, number[]>;

/** Turns of a stage with `many` items and with one: from both follows what a turn takes by itself. */
const MANY: Record<StageName, number> = { record: 256, report: PUMP_BATCH, handle: HANDLER_BATCH, resume: 256 };

export interface CycleOptions {
  readonly warmupMs: number;
  readonly timeMs: number;
  /** Told which stage runs: 0 between two. */
  readonly onStage?: (stage: number) => void;
}

export const STAGE_REPORT = 1;
export const STAGE_HANDLE = 2;

/** @param hasCore whether pages are made present, so that jobs end. */
export function timeStages(machine: Machine, hasCore: boolean, options: CycleOptions): StageTimes {
  const samples: Samples = {};
  const warmEnd = performance.now() + options.warmupMs;
  while (performance.now() < warmEnd) {
    cycle(machine, hasCore, false, {}, options);
    cycle(machine, hasCore, true, {}, options);
  }
  const end = performance.now() + options.timeMs;
  while (performance.now() < end) {
    cycle(machine, hasCore, false, samples, options);
    cycle(machine, hasCore, true, samples, options);
  }
  return stageTimesOf(samples);
}

export function stageTimesOf(samples: Samples): StageTimes {
  const both = (name: StageName): StageTiming => {
    const many = MANY[name];
    const single = timing(samples[`${name}1`]);
    const full = timing(samples[name]);
    const turnOf = (one: number, all: number): number => Math.max(0, (one - all) / (1 - 1 / many));
    const turn = {
      ...single,
      ns: turnOf(single.ns, full.ns),
      low: turnOf(single.low, full.low),
      high: turnOf(single.high, full.high),
    };
    return { item: { ...full, ns: full.ns - turn.ns / many }, turn };
  };
  const none: Timing = { ns: 0, low: 0, high: 0, cycles: 0 };
  const maybe = (name: string): Timing => (samples[name] === undefined ? none : timing(samples[name]));
  return {
    record: both('record'),
    report: both('report'),
    handle: both('handle'),
    resume: both('resume'),
    stall: timing(samples.stall),
    collect: timing(samples.collect),
    touch: maybe('touch'),
    handleTaken: maybe('handleTaken'),
    discard: maybe('discard'),
    notify: maybe('notify'),
    invalidate: maybe('invalidate'),
  };
}

/** Every stage once, with turns of many items or of one. */
function cycle(
  machine: Machine,
  hasCore: boolean,
  single: boolean,
  samples: Samples,
  { onStage = () => {} }: CycleOptions,
): void {
  const time = (name: string, run: () => void): void => {
    const began = performance.now();
    run();
    const ns = ((performance.now() - began) * 1e6) / machine.faults;
    keep(samples, name, ns);
  };
  const suffix = single ? '1' : '';
  time('stall', () => machine.stall());
  time(`record${suffix}`, () => machine.hardware(single ? 1 : undefined));
  onStage(STAGE_REPORT);
  time(`report${suffix}`, () => machine.report(single ? 1 : undefined));
  onStage(STAGE_HANDLE);
  time(`handle${suffix}`, () => machine.handle(single ? 1 : undefined));
  onStage(0);
  time(`resume${suffix}`, () => machine.hardware(single ? 1 : undefined));
  time('collect', () => machine.collect());
  if (!hasCore) {
    time('notify', () => machine.notify());
    time('invalidate', () => machine.hardware());
    return;
  }
  time('touch', () => machine.touch());
  machine.touch(); // the second pass: ends the job
  time('discard', () => machine.discard());
}

export function timing(samples: readonly number[]): Timing {
  const [low, ns, high] = quantile([...samples], [0.05, 0.5, 0.95]);
  return { ns, low, high, cycles: samples.length };
}

export function keep(samples: Samples, name: string, ...ns: readonly number[]): void {
  samples[name] ??= [];
  for (const each of ns) samples[name].push(each);
}
