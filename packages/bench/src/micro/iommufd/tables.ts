import Table from 'cli-table3';
import { formatCount, formatNs, formatRate } from '../../report/format.ts';
import type { CostRow } from '../costs/measure.ts';
import { formatGoal, type Goal } from '../goals.ts';
import type { PairRow } from '../pair/measure.ts';
import { CHARS, STYLE, times } from '../tables.ts';
import { BATCHES, CYCLE_GOALS, faultFileSubject, WAYS } from './fault-file.ts';
import { FAULT_PAIR_GOAL } from './fault-pair.ts';
import { AREAS, areasSubject } from './ioas-areas.ts';
import { IOCTL_GOAL, IOCTL_MAP, ioctlSubjects } from './ioctl.ts';
import type { HostileRow, KeyRow } from './keys.ts';

const style = { chars: CHARS, style: STYLE };

const CYCLE = 'trigger, read, respond';
const PAIR_OF_ONE = faultFileSubject('bytes', 64);

/** A fault's way through user space, and ioctls, beside what they were meant to take, and beside one another: bytes beside typed calls,
 * two threads beside one thread. */
export function renderIommufd(rows: readonly CostRow[], pair: PairRow): string {
  const table = new Table({
    head: ['iommufd', 'operation', 'median', '5 % … 95 %', 'beside', 'goal'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'left'],
    ...style,
  });
  const medianOf = (subject: string, name: string): number =>
    rows.find((row) => row.subject === subject && row.name === name)?.median ?? Number.NaN;
  const add = (subject: string, goals: Readonly<Record<string, Goal>>): void => {
    rows
      .filter((row) => row.subject === subject)
      .forEach(({ name, median, min, max }, at) => {
        const typed = medianOf(subject.replace('bytes', 'typed calls'), name.replace('by bytes', 'typed call'));
        const beside = median === typed ? '' : times(median / typed);
        const goal = goals[name] === undefined ? '' : formatGoal(goals[name], median, formatNs);
        const spread = `${formatNs(min)} … ${formatNs(max)}`;
        table.push([at === 0 ? subject : '', name, formatNs(median), spread, beside, goal]);
      });
  };
  for (const way of WAYS)
    for (const batch of BATCHES)
      add(faultFileSubject(way, batch), way === 'typed calls' ? { [CYCLE]: CYCLE_GOALS[batch] } : {});
  for (const { name } of ioctlSubjects) add(name, { [IOCTL_MAP]: IOCTL_GOAL });
  const { name, median, min, max } = pair;
  const spread = `${formatRate(min)} … ${formatRate(max)}`;
  const beside = times((median * medianOf(PAIR_OF_ONE, CYCLE)) / 1e9);
  table.push([
    'two threads',
    name,
    formatRate(median),
    spread,
    beside,
    formatGoal(FAULT_PAIR_GOAL, median, formatRate),
  ]);
  return table.toString();
}

/** What mapping a page costs beside so many others. O(log n) is a straight line here. */
export function renderAreas(rows: readonly CostRow[]): string {
  const table = new Table({
    head: ['areas in an IOAS', 'log2 n', 'map and unmap a page', '5 % … 95 %', 'beside 1'],
    colAligns: ['right', 'right', 'right', 'right', 'right'],
    ...style,
  });
  const found = AREAS.flatMap((areas) => rows.filter(({ subject }) => subject === areasSubject(areas)));
  found.forEach(({ median, min, max }, at) => {
    const log = Number(Math.log2(AREAS[at]).toFixed(1));
    const spread = `${formatNs(min)} … ${formatNs(max)}`;
    table.push([formatCount(AREAS[at]), log, formatNs(median), spread, times(median / found[0].median)]);
  });
  return table.toString();
}

/** What a group is answered by: its cost, and what a device that uses a number twice makes of it. */
export function renderKeys(rows: readonly KeyRow[], attacks: readonly HostileRow[]): string {
  const costs = new Table({
    head: ['answered by', 'threads', 'given out and redeemed', 'min … max', 'beside cookies'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    ...style,
  });
  for (const { kind, threads, median, min, max } of rows) {
    const cookies = rows.find((row) => row.kind === 'cookie' && row.threads === threads);
    const ratio = times(median / (cookies?.median ?? Number.NaN));
    costs.push([kind, threads, formatRate(median), `${formatRate(min)} … ${formatRate(max)}`, ratio]);
  }
  const harm = new Table({
    head: ['a device sends two groups under one number', 'pairs', 'answers astray', 'refused', 'never answered'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    ...style,
  });
  for (const { kind, pairs, astray, refused, unanswered } of attacks)
    harm.push([kind, pairs, astray, refused, unanswered]);
  return `${costs}\n${harm}`;
}
