#!/usr/bin/env node
// The micro-benchmarks: what single operations cost, and what two threads reach together, beside what one would otherwise take.
import { writeFileSync } from 'node:fs';
import { freemem, loadavg } from 'node:os';
import { Command } from 'commander';
import { formatBytes, formatCount } from '../report/format.ts';
import { readEnvironment } from '../result/environment.ts';
import { type AllocationRow, measureAllocation, measureAllocations } from './allocation.ts';
import { measureChecker } from './checker/measure.ts';
import { measureApart } from './costs/apart.ts';
import { SUBJECTS } from './costs/index.ts';
import type { CostRow } from './costs/measure.ts';
import { measureIommufd } from './iommufd/measure.ts';
import { DISJOINT_FORMAT, disjointCases, ITEM_PAGES, JOBS } from './page-table/disjoint.ts';
import { entryHeapCases } from './page-table/entry-heap.ts';
import { entrySubjects } from './page-table/entry-ways.ts';
import { tableSubjects } from './page-table/table-costs.ts';
import { renderDisjoint, renderEntryWays, renderPageTables } from './page-table/tables.ts';
import { CASES } from './pair/cases.ts';
import { FAULT_LOCKLESS, faultPathCases } from './pair/fault-path.ts';
import { measureHops } from './pair/hops.ts';
import { measurePair, measureTurns, type PairRow } from './pair/measure.ts';
import { measurePiscina } from './pair/piscina.ts';
import { measureRecords } from './records/measure.ts';
import { renderRecords } from './records/tables.ts';
import type { SweepRange } from './sweep/case.ts';
import { fitRange } from './sweep/fit.ts';
import { measureSweep, type SweepRow } from './sweep/measure.ts';
import { describeRange, renderSweep } from './sweep/tables.ts';
import { renderAllocations, renderChecker, renderCosts, renderPairs, renderTurns } from './tables.ts';

const TIB_OF_2M: SweepRange = { rangeLg2: 40, leafLg2: 21 };
const FULL = {
  ...{ repeats: 9, roundMs: 120, faults: 10e6, messages: 200_000, checkerMs: 400 },
  costs: { timeMs: 200, warmupMs: 100 },
  tables: { timeMs: 100, warmupMs: 50 },
  disjoint: { repeats: 21, roundMs: 40 },
  records: { timeMs: 100, warmupMs: 50, items: 2e6 },
  sweeps: [
    { range: TIB_OF_2M, repeats: 5, roundMs: 1000 },
    { range: { rangeLg2: 40, leafLg2: 12 }, repeats: 3, roundMs: 3000 },
  ],
};
const QUICK = {
  ...{ repeats: 3, roundMs: 40, faults: 2e6, messages: 50_000, checkerMs: 100 },
  costs: { timeMs: 60, warmupMs: 40 },
  tables: { timeMs: 8, warmupMs: 10 },
  disjoint: { repeats: 5, roundMs: 20 },
  records: { timeMs: 10, warmupMs: 10, items: 200_000 },
  sweeps: [
    { range: TIB_OF_2M, repeats: 3, roundMs: 150 },
    { range: { rangeLg2: 34, leafLg2: 12 }, repeats: 3, roundMs: 150 },
  ],
};

const { quick, json } = new Command('bench')
  .description(
    'measures single operations, page tables and queue records on one thread, and what two threads do together',
  )
  .option('--quick', 'fewer and shorter repeats, and a smaller range swept in 4 KiB leaves: about 40 s', false)
  .option('--json <file>', 'also write the figures there')
  .parse()
  .opts<{ quick: boolean; json?: string }>();

const parameters = quick ? QUICK : FULL;
const environment = readEnvironment();
const { cpuModel, cpus, memoryBytes, node, v8, platform, release } = environment;
console.log(`${cpuModel}, ${cpus} cpus, ${formatBytes(memoryBytes)}; ${platform} ${release}; Node ${node}, V8 ${v8}`);
console.log(
  `one thread: ${parameters.costs.timeMs} ms an operation after ${parameters.costs.warmupMs} ms of warm-up; ` +
    `two threads: ${parameters.repeats} repeats of about ${parameters.roundMs} ms after a warm-up as long; threads are not pinned`,
);
const [load] = loadavg();
if (load > 0.5 * cpus)
  console.log(`load ${load.toFixed(1)}: other programs want the processors, and two threads' figures suffer`);
if (cpus < 2) console.log('fewer than 2 cpus: two threads take turns, and their figures are those of the scheduler');

const costs: CostRow[] = [];
for (const { name } of SUBJECTS) costs.push(...(await measureApart(name, parameters.costs)));
console.log(renderCosts(costs));

const { timeMs, warmupMs } = parameters.tables;
console.log(
  `page tables: ${timeMs} ms an operation after ${warmupMs} ms of warm-up; 2 MiB in 4 KiB pages, an entry each`,
);
const entries: CostRow[] = [];
for (const { name } of entrySubjects) entries.push(...(await measureApart(name, parameters.tables)));
console.log(renderEntryWays(entries));
const entryHeap: AllocationRow[] = [];
for (const each of entryHeapCases)
  entryHeap.push(...(await measureAllocation(each, parameters.records.items, ['install and clear', 'atomic read'])));
console.log(renderAllocations(entryHeap));
const tables: CostRow[] = [];
for (const { name } of tableSubjects) tables.push(...(await measureApart(name, parameters.tables)));
console.log(renderPageTables(tables));

const { timeMs: recordMs, warmupMs: recordWarmupMs, items: recordItems } = parameters.records;
console.log(
  `queue records: ${recordMs} ms each way after ${recordWarmupMs} ms of warm-up; heap over ${formatCount(recordItems)} records`,
);
const records = await measureRecords(parameters.records);
console.log(renderRecords(records));

const iommufd = await measureIommufd(parameters.costs, parameters, quick);

const disjoint: PairRow[] = [];
for (const job of JOBS) disjoint.push(...(await measureTurns(disjointCases(job), parameters.disjoint)));
const { repeats: turns, roundMs: turnMs } = parameters.disjoint;
console.log(`${DISJOINT_FORMAT.name}, ${ITEM_PAGES} pages of 4 KiB a call; ${turns} turns of about ${turnMs} ms each`);
console.log(renderDisjoint(disjoint));

const sweeps: SweepRow[] = [];
for (const { range: wanted, ...options } of parameters.sweeps) {
  const range = fitRange(wanted, freemem());
  if (range.rangeLg2 < wanted.rangeLg2) console.log(`memory is short for a sweep of ${describeRange(wanted)}`);
  const rows = await measureSweep(range, options);
  console.log(renderSweep(rows));
  sweeps.push(...rows);
}

const pairs: PairRow[] = [];
pairs.push(...(await measureTurns(faultPathCases, parameters)));
for (const pair of CASES) if (!faultPathCases.includes(pair)) pairs.push(await measurePair(pair, parameters));
pairs.push(await measurePiscina(parameters));
pairs.push(...(await measureHops(parameters)));
console.log('records are 32 bytes, every word written and read; SPMC and MPMC carry one word an item');
console.log(renderPairs(pairs, 'throughput'));
console.log(renderPairs(pairs, 'round trip'));

const allocations = await measureAllocations(parameters);
console.log(renderAllocations(allocations));
console.log(renderTurns(pairs, FAULT_LOCKLESS, 'times lockless'));

const checker = await measureChecker(parameters.repeats, parameters.checkerMs);
console.log(renderChecker(checker));

const figures = { costs, entries, entryHeap, tables, records, iommufd, disjoint, sweeps, pairs, allocations, checker };
if (json !== undefined)
  writeFileSync(json, `${JSON.stringify({ schemaVersion: 1, environment, parameters, ...figures }, null, 2)}\n`);
