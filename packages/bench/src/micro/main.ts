#!/usr/bin/env node
// The micro-benchmarks: what single operations cost, and what two threads reach together, beside what one would otherwise take.
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { formatBytes } from '../report/format.ts';
import { readEnvironment } from '../result/environment.ts';
import { SUBJECTS } from './costs/index.ts';
import { type CostRow, measureSubject } from './costs/measure.ts';
import { CASES } from './pair/cases.ts';
import { measurePair, type PairRow } from './pair/measure.ts';
import { measurePiscina } from './pair/piscina.ts';
import { renderCosts, renderPairs } from './tables.ts';

const FULL = { costMs: 300, costWarmupMs: 150, repeats: 9, roundMs: 120 };
const QUICK = { costMs: 60, costWarmupMs: 40, repeats: 3, roundMs: 40 };

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
if (cpus < 2) console.log('fewer than 2 cpus: two threads take turns, and their figures are those of the scheduler');

const costs: CostRow[] = [];
for (const subject of SUBJECTS)
  costs.push(...(await measureSubject(subject, parameters.costMs, parameters.costWarmupMs)));
console.log(renderCosts(costs));

const pairs: PairRow[] = [];
for (const pair of CASES) pairs.push(await measurePair(pair, parameters));
pairs.push(await measurePiscina(parameters));
console.log('records are 32 bytes, every word written and read; SPMC and MPMC carry one word an item');
console.log(renderPairs(pairs, 'throughput'));
console.log(renderPairs(pairs, 'round trip'));

if (json !== undefined)
  writeFileSync(json, `${JSON.stringify({ schemaVersion: 1, environment, parameters, costs, pairs }, null, 2)}\n`);
