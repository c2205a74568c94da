import type { Stages, StageTimes } from './schema.ts';

/** In the order of a fault's way. */
export const STAGES: readonly (keyof StageTimes)[] = ['queue', 'group', 'work', 'handler', 'response'];

/** Faults, and what their stages took on average. */
type Part = { readonly faults: number; readonly meanNs: StageTimes };

/** Means of several, each fault counting once. @returns undefined when there are none */
export function mergeStages(all: readonly Stages[]): Stages | undefined {
  if (all.length === 0) return undefined;
  const octaves = Map.groupBy(
    all.flatMap(({ byLatency }) => byLatency),
    ({ fromNs }) => fromNs,
  );
  return {
    ...meanOf(all),
    skipped: all.reduce((sum, { skipped }) => sum + skipped, 0),
    byLatency: [...octaves.entries()]
      .sort(([a], [b]) => a - b)
      .map(([fromNs, parts]) => ({ fromNs, ...meanOf(parts) })),
  };
}

/** @param byLatency ascending. */
export function stagesOf(byLatency: Stages['byLatency'], skipped: number): Stages {
  return { ...meanOf(byLatency), skipped, byLatency };
}

/** The faults that took longest: whole entries of byLatency from the top, until `share` of all faults are among them. */
export function slowestOf({ faults, byLatency }: Stages, share: number): Part & { readonly fromNs: number } {
  let from = byLatency.length;
  for (let among = 0; from > 0 && among < share * faults; ) among += byLatency[--from].faults;
  const slowest = byLatency.slice(from);
  return { fromNs: slowest[0]?.fromNs ?? 0, ...meanOf(slowest) };
}

function meanOf(parts: readonly Part[]): { faults: number; meanNs: StageTimes } {
  const faults = parts.reduce((sum, part) => sum + part.faults, 0);
  const mean = (stage: keyof StageTimes): number =>
    faults === 0 ? 0 : parts.reduce((sum, part) => sum + part.meanNs[stage] * part.faults, 0) / faults;
  return {
    faults,
    meanNs: {
      queue: mean('queue'),
      group: mean('group'),
      work: mean('work'),
      handler: mean('handler'),
      response: mean('response'),
    },
  };
}
