#!/usr/bin/env node
// The micro-benchmarks: what single operations cost, and what two threads reach together, beside what one would otherwise take.
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Command } from 'commander';
import { formatBytes } from '../report/format.ts';
import { readEnvironment } from '../result/environment.ts';
import { measureAllocations } from './allocation.ts';
import { measureChecker } from './checker/measure.ts';
import { measureApart } from './costs/apart.ts';
import { SUBJECTS } from './costs/index.ts';
import type { CostRow } from './costs/measure.ts';
import { CASES } from './pair/cases.ts';
import { FAULT_LOCKLESS, faultPathCases } from './pair/fault-path.ts';
import { measureHops } from './pair/hops.ts';
import { measurePair, measureTurns, type PairRow } from './pair/measure.ts';
import { measurePiscina } from './pair/piscina.ts';
import { renderAllocations, renderChecker, renderCosts, renderPairs, renderTurns } from './tables.ts';

const FULL = { costMs: 200, costWarmupMs: 100, repeats: 9, roundMs: 120, faults: 10e6, messages: 200_000 };
const QUICK = { costMs: 60, costWarmupMs: 40, repeats: 3, roundMs: 40, faults: 2e6, messages: 50_000 };

const { quick, json } = new Command('bench')
  .description('measures single operations on one thread, and rings and hops between two')
  .option('--quick', 'fewer and shorter repeats: about 15 s', false)
  .option('--json <file>', 'also write the figures there')
  .parse()
  .opts<{ quick: boolean; json?: string }>();

const parameters = quick ? QUICK : FULL;
const environment = readEnvironment();
const { cpuModel, cpus, memoryBytes, node, v8, platform, release } = environment;
console.log(`${cpuModel}, ${cpus} cpus, ${formatBytes(memoryBytes)}; ${platform} ${release}; Node ${node}, V8 ${v8}`);
console.log(
  `one thread: ${parameters.costMs} ms an operation after ${parameters.costWarmupMs} ms of warm-up; ` +
    `two threads: ${parameters.repeats} repeats of about ${parameters.roundMs} ms after a warm-up as long; threads are not pinned`,
);
const [load] = loadavg();
if (load > 0.5 * cpus)
  console.log(`load ${load.toFixed(1)}: other programs want the processors, and two threads' figures suffer`);
if (cpus < 2) console.log('fewer than 2 cpus: two threads take turns, and their figures are those of the scheduler');

const costs: CostRow[] = [];
for (const { name } of SUBJECTS) costs.push(...(await measureApart(name, parameters.costMs, parameters.costWarmupMs)));
console.log(renderCosts(costs));

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

const checker = await measureChecker(parameters.repeats);
console.log(renderChecker(checker));

if (json !== undefined)
  writeFileSync(
    json,
    `${JSON.stringify({ schemaVersion: 1, environment, parameters, costs, pairs, allocations, checker }, null, 2)}\n`,
  );
