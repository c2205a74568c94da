import Table from 'cli-table3';
import { formatNs, formatRate } from '../../report/format.ts';
import type { CostRow } from '../costs/measure.ts';
import { formatGoal, type Goal } from '../goals.ts';
import type { PairRow } from '../pair/measure.ts';
import { CHARS, STYLE, times } from '../tables.ts';
import { disjointName, ITEM_PAGES, JOBS } from './disjoint.ts';
import { ENTRY_OPERATIONS, type EntryOperation, entrySubjects, SCRATCH } from './entry-ways.ts';
import { FORMATS } from './formats.ts';
import { GUARDS, PLAIN_MODEL, tableSubjectName } from './table-costs.ts';

const OPERATION_NAMES: Readonly<Record<EntryOperation, string>> = {
  peek: 'plain read, as walks and sweeps do',
  read: 'atomic read',
  install: 'install in an empty slot',
  clear: 'clear',
};

/** Ways to reach an entry, each as times the chosen one's cost, and a line that says what was chosen. */
export function renderEntryWays(rows: readonly CostRow[]): string {
  const table = new Table({
    head: ['one thread, page table entry', 'operation', 'median', '5 % … 95 %', 'beside the chosen'],
    colAligns: ['left', 'left', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  for (const { name: subject } of entrySubjects)
    for (const operation of ENTRY_OPERATIONS) {
      const { median, min, max } = costOf(rows, subject, operation);
      const ratio = median / costOf(rows, chosenSubject, operation).median;
      table.push([
        operation === 'peek' ? subject.slice(PREFIX.length) : '',
        OPERATION_NAMES[operation],
        formatNs(median),
        `${formatNs(min)} … ${formatNs(max)}`,
        times(ratio),
      ]);
    }
  return `${table}\n${chosenLine(rows)}`;
}

const PREFIX = 'page table entry, ';
const chosenSubject = `${PREFIX}${SCRATCH}`;

/** Says of the chosen way what this run's figures say. */
export function chosenLine(rows: readonly CostRow[]): string {
  const others = entrySubjects.filter(({ name }) => name !== chosenSubject);
  const beside = others.map(({ name }) => {
    const ratios = ENTRY_OPERATIONS.map((operation) => {
      const ratio = costOf(rows, name, operation).median / costOf(rows, chosenSubject, operation).median;
      return `${operation} ${times(ratio)}`;
    });
    return `${name.slice(PREFIX.length)}: ${ratios.join(', ')}; one of each: ${formatNs(sumOf(rows, name))}`;
  });
  const best = ENTRY_OPERATIONS.filter((operation) =>
    others.every(({ name }) => costOf(rows, name, operation).median >= costOf(rows, chosenSubject, operation).median),
  );
  const fastest = best.length === 0 ? 'fastest at nothing in this run' : `fastest in this run at ${best.join(', ')}`;
  const all = formatNs(sumOf(rows, chosenSubject));
  return `chosen: ${SCRATCH}; ${fastest}; one of each: ${all}. Beside it: ${beside.join('. ')}`;
}

/** What one of each operation takes together. */
function sumOf(rows: readonly CostRow[], subject: string): number {
  return ENTRY_OPERATIONS.reduce((sum, operation) => sum + costOf(rows, subject, operation).median, 0);
}

const GOALS: ReadonlyMap<string, Goal> = new Map([
  ['map', { most: 20 }],
  ['unmap', { most: 20 }],
  ['walk, every page', { most: 30 }],
  ['dirty sweep, nothing dirty', { most: 3 }],
]);

/** Each format's costs of an entry, beside the same calls under a lock and on the plain model. */
export function renderPageTables(rows: readonly CostRow[]): string {
  const table = new Table({
    head: ['one thread, an entry', 'operation', 'median', '5 % … 95 %', 'goal', 'mutex', 'rwlock', 'Map of pages'],
    colAligns: ['left', 'left', 'right', 'right', 'left', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  for (const { name: format } of FORMATS) {
    const [ours, mutex, rwlock] = GUARDS.map((guard) => tableSubjectName(format, guard));
    for (const { name, median, min, max } of rows.filter(({ subject }) => subject === ours)) {
      const goal = GOALS.get(name);
      table.push([
        name === 'map' ? format : '',
        name,
        formatNs(median),
        `${formatNs(min)} … ${formatNs(max)}`,
        goal === undefined ? '' : formatGoal(goal, median, formatNs),
        ...[mutex, rwlock, PLAIN_MODEL].map((subject) => times(costOf(rows, subject, name).median / median)),
      ]);
    }
  }
  const model = rows.filter(({ subject }) => subject === PLAIN_MODEL);
  const figures = model.map(({ name, median }) => `${name} ${formatNs(median)}`);
  return `${table}\nMap of pages, an entry: ${figures.join('; ')}`;
}

const SCALE: Goal = { least: 1.7 };

/** Two threads beside one of the same turn, on ranges of their own. An entry is a page of an item. */
export function renderDisjoint(rows: readonly PairRow[]): string {
  const table = new Table({
    head: [
      'disjoint ranges of one table',
      'guard',
      '1 thread, entries',
      '2 threads',
      '2 beside 1',
      'min … max',
      'goal',
    ],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left'],
    chars: CHARS,
    style: STYLE,
  });
  for (const job of JOBS)
    for (const guard of GUARDS) {
      const alone = rows.find(({ name }) => name === disjointName(job, guard, 1));
      const both = rows.find(({ name }) => name === disjointName(job, guard, 2));
      if (alone === undefined || both?.inTurn === undefined) throw new Error(`renderDisjoint: no ${job}, ${guard}`);
      const { median, min, max } = both.inTurn;
      table.push([
        guard === 'lock-free' ? job : '',
        guard,
        formatRate(alone.median * ITEM_PAGES),
        formatRate(both.median * ITEM_PAGES),
        times(median),
        `${times(min)} … ${times(max)}`,
        guard === 'lock-free' ? formatGoal(SCALE, median, times) : '',
      ]);
    }
  return table.toString();
}

function costOf(rows: readonly CostRow[], subject: string, name: string): CostRow {
  const found = rows.find((row) => row.subject === subject && row.name === name);
  if (found === undefined) throw new Error(`no figure of ${subject}, ${name}`);
  return found;
}
