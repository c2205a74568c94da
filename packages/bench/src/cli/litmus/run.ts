// One `litmus` from options to exit code.
import { writeFileSync } from 'node:fs';
import { type LitmusOptions as Asked, type LitmusResult, litmusVerdict } from '../../explore/litmus/litmus.ts';
import { litmusTable } from '../../explore/litmus/table.ts';
import type { Scenario } from '../../explore/scenario.ts';
import { ExploreProgress } from '../explore/progress.ts';
import { selectDesigns, selectScenarios } from '../explore/select.ts';
import type { ExploreHost } from '../explore/types.ts';
import { UsageError } from '../request.ts';
import { EXIT_FAILED, EXIT_OK } from '../run.ts';

/** As commander hands them over. */
export interface LitmusOptions {
  readonly design?: string;
  readonly seconds: string;
  readonly seed: string;
  readonly json?: string;
}

/** What `litmus` needs of the process. */
export interface LitmusHost extends Pick<ExploreHost, 'loadScenarios' | 'out' | 'err' | 'signal'> {
  readonly litmus: (scenario: Scenario, options: Asked) => Promise<LitmusResult>;
}

const EXIT_INTERRUPTED = 130;

/** @returns 0, 1 when a design that should hold did not, 130 interrupted. @throws UsageError */
export async function runLitmus(names: readonly string[], options: LitmusOptions, host: LitmusHost): Promise<number> {
  const seconds = readNumber('--seconds', options.seconds, 0.01, 3600);
  const seed = readNumber('--seed', options.seed, 0, 2 ** 31 - 1);
  const chosen = selectDesigns(selectScenarios(await host.loadScenarios(), names), options.design);
  const progress = new ExploreProgress(host.err);
  const results: LitmusResult[] = [];
  // Threads in Atomics.wait keep no process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    for (const [at, { found, design }] of chosen.entries()) {
      if (host.signal.aborted) break;
      progress.start(at + 1, chosen.length, found.scenario.spec.name, design);
      const result = await host.litmus(found.scenario, { design, seconds, seed, signal: host.signal });
      results.push(result);
      progress.done(`${result.iterations.toLocaleString('en')} iterations, ${litmusVerdict(result)}`);
    }
  } finally {
    clearInterval(alive);
    progress.stop();
  }
  host.out.write(`${litmusTable(results)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  const wrong = results.filter((result) => litmusVerdict(result) === 'unexpected');
  for (const { scenario, design, sample, hung } of wrong)
    host.err.write(`not as expected: ${scenario}, design "${design}": ${hung ? 'an iteration never ended' : sample}\n`);
  if (wrong.length > 0) return EXIT_FAILED;
  return host.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

function readNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${option} = ${JSON.stringify(text)}: must be a number from ${least} to ${most}`);
  return value;
}
