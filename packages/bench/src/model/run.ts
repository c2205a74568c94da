import type { ModelConfig } from './config.ts';
import { ROLES, type Role } from './machine/thread.ts';
import type { ModelResult, SeriesPoint } from './result.ts';
import { withoutSuspects } from './suspects.ts';
import type { FaultWatch } from './workload/watched-jobs.ts';
import { World } from './world.ts';

/** Simulates one cell. Pure: the same configuration and seed give the same result, whoever calls, wherever. */
export function simulate(config: ModelConfig, seed: number, watch?: FaultWatch): ModelResult {
  if ((config.seconds === undefined) === (config.faults === undefined))
    throw new RangeError('simulate: exactly one of seconds and faults is to be given');
  const world = new World(withoutSuspects(config), seed, watch);
  const series = sample(world);
  world.start();
  const warmNs = config.warmupSeconds * 1e9;
  world.engine.run(warmNs);
  const outstandingBefore = world.jobs.outstanding();
  const before = booksOf(world);
  series.rebase();
  world.stats.clear();
  if (config.faults !== undefined) {
    const { faults } = config;
    world.onAnswered = () => {
      if (world.stats.answered >= faults) world.engine.stop();
    };
    world.engine.run(Infinity);
  } else world.engine.run(warmNs + (config.seconds ?? 0) * 1e9);
  return resultOf(world, seed, { outstandingBefore, before, startNs: warmNs, series: series.points });
}

interface Books {
  readonly busyNs: readonly number[];
  readonly switchNs: number;
  readonly paramNs: number;
  readonly faultNs: number;
  readonly mmapLineNs: number;
  readonly mmapWriteNs: number;
  readonly workLineNs: number;
  readonly commandLineNs: number;
  readonly invalidatingNs: number;
  readonly activeNs: number;
  readonly searched: number;
  readonly searches: number;
  readonly paramContended: number;
  readonly faultContended: number;
  readonly mmapContended: number;
}

/** What runs on through the warm-up: the measured part is a difference. */
function booksOf({ processors, path, memory, work, hardware }: World): Books {
  work.settle();
  const { param, fault } = path.locks;
  return {
    busyNs: [...processors.busyNs],
    switchNs: processors.switchNs,
    paramNs: param.busyNs,
    faultNs: fault.busyNs,
    mmapLineNs: memory.lineNs,
    mmapWriteNs: memory.lock.writeNs,
    workLineNs: work.lineNs,
    commandLineNs: path.commandLineNs,
    invalidatingNs: hardware.invalidatingNs,
    activeNs: work.activeNs,
    searched: path.searched,
    searches: path.searches,
    paramContended: param.contended,
    faultContended: fault.contended,
    mmapContended: memory.lock.contended,
  };
}

interface Measured {
  readonly outstandingBefore: number;
  readonly before: Books;
  readonly startNs: number;
  readonly series: readonly SeriesPoint[];
}

function resultOf(world: World, seed: number, { outstandingBefore, before, startNs, series }: Measured): ModelResult {
  const { config, stats, engine, jobs } = world;
  const after = booksOf(world);
  const ns = engine.now - startNs;
  const seconds = ns / 1e9;
  const { answered } = stats;
  const share = (name: keyof Omit<Books, 'busyNs'>): number => (after[name] - before[name]) / ns;
  const roleNs = (role: Role): number => after.busyNs[ROLES.indexOf(role)] - before.busyNs[ROLES.indexOf(role)];
  const ofProcessors = (spent: number): number => spent / (ns * config.processors);
  const switchNs = after.switchNs - before.switchNs;
  const each = (spent: number): number => (answered === 0 ? 0 : spent / answered);
  return {
    generation: config.generation,
    threads: config.threads,
    seed,
    seconds,
    posted: stats.posted,
    faults: answered,
    faultsPerSecond: answered / seconds,
    jobs: stats.jobs,
    jobsPerSecond: stats.jobs / seconds,
    refaults: stats.refaults,
    refaultsPerFault: stats.posted === 0 ? 0 : stats.refaults / stats.posted,
    timeouts: stats.timeouts,
    overdue: jobs.overdue(engine.now),
    outstanding: jobs.outstanding(),
    outstandingBefore,
    latency: quantiles(stats.latency),
    jobTime: quantiles(stats.jobTime),
    busy: {
      processors: ofProcessors(ROLES.reduce((sum, role) => sum + roleNs(role), switchNs)),
      device: ofProcessors(roleNs('device')),
      hardware: ofProcessors(roleNs('hardware')),
      interrupt: ofProcessors(roleNs('interrupt')),
      handler: ofProcessors(roleNs('handler')),
      switching: ofProcessors(switchNs),
      interruptThread: roleNs('interrupt') / ns / world.interruptThreads,
      paramLock: share('paramNs') / config.devices,
      faultLock: share('faultNs') / config.devices,
      mmapLine: share('mmapLineNs'),
      mmapWriter: share('mmapWriteNs'),
      workLine: share('workLineNs'),
      commandLine: share('commandLineNs'),
      invalidations: share('invalidatingNs'),
    },
    stages: {
      queue: each(stats.queueNs),
      group: each(stats.groupNs),
      work: each(stats.workNs),
      handler: each(stats.handlerNs),
      response: each(stats.responseNs),
    },
    searchLength:
      after.searches === before.searches ? 0 : (after.searched - before.searched) / (after.searches - before.searches),
    activeHandlers: share('activeNs'),
    memory: {
      populated: stats.populated,
      restored: stats.restored,
      taken: stats.taken,
      discarded: stats.discarded,
      invalidations: stats.invalidations,
      scans: stats.scans,
      lockMisses: stats.lockMisses,
      hints: stats.hints,
    },
    contended: {
      paramLock: after.paramContended - before.paramContended,
      faultLock: after.faultContended - before.faultContended,
      mmapLock: after.mmapContended - before.mmapContended,
    },
    events: engine.events,
    series,
  };
}

function quantiles(histogram: World['stats']['latency']): ModelResult['latency'] {
  const { mean, max } = histogram;
  return { mean, p50: histogram.quantile(0.5), p99: histogram.quantile(0.99), max };
}

/** Takes a point of the series each `seriesMs`, from the begin of the warm-up. */
function sample(world: World): { readonly points: readonly SeriesPoint[]; rebase(): void } {
  const { engine, stats, jobs, load, config } = world;
  const points: SeriesPoint[] = [];
  let last = { answered: 0, refaults: 0, jobs: 0, timeouts: 0 };
  const stepNs = config.seriesMs * 1e6;
  const id = engine.register({
    fire(): void {
      points.push({
        atSeconds: engine.now / 1e9,
        faults: stats.answered - last.answered,
        refaults: stats.refaults - last.refaults,
        jobs: stats.jobs - last.jobs,
        timeouts: stats.timeouts - last.timeouts,
        outstanding: jobs.outstanding(),
        active: load.active,
      });
      last = { answered: stats.answered, refaults: stats.refaults, jobs: stats.jobs, timeouts: stats.timeouts };
      engine.schedule(engine.now + stepNs, id, 0);
    },
  });
  engine.schedule(stepNs, id, 0);
  return {
    points,
    rebase(): void {
      last = {
        answered: last.answered - stats.answered,
        refaults: last.refaults - stats.refaults,
        jobs: last.jobs - stats.jobs,
        timeouts: last.timeouts - stats.timeouts,
      };
    },
  };
}
