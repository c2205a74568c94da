// One `explore` from options to exit code: choose, explore one after another, print, write the files.
import {
  decodeToken,
  describeFinding,
  describeOutcomes,
  describeVerdict,
  resultsTable,
  summaryLine,
  verdictOf,
} from '../../explore/report/index.ts';
import { resumeCommand } from '../../explore/report/text.ts';
import type { ExploreResult } from '../../explore/result.ts';
import { readEnvironment } from '../../result/environment.ts';
import { UsageError } from '../request.ts';
import { EXIT_FAILED, EXIT_OK } from '../run.ts';
import { commandOf } from './command-line.ts';
import { listScenarios } from './list.ts';
import { type ExploreOptions, readBounds, readStrategy } from './options.ts';
import { ExploreProgress } from './progress.ts';
import { checkFiles, type Explored, writeFiles } from './save.ts';
import { type Chosen, selectDesigns, selectScenarios } from './select.ts';
import type { ExploreHost, ExploreRequest } from './types.ts';

/** 128 + SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130;
/** How long after the signal the engine may take to end its threads. */
const STOP_MS = 2000;

/** @returns 0, 1 if anything expected is not what happened, 130 interrupted.
 * @throws UsageError for what cannot be done, before anything is explored; what the engine threw. */
export async function runExplore(
  names: readonly string[],
  options: ExploreOptions,
  host: ExploreHost,
): Promise<number> {
  const replayed = options.replay === undefined ? undefined : readToken(options.replay);
  if (names.length === 0 && !options.all && !options.list && !replayed)
    throw new UsageError('name a scenario, or give --all; --list names them');
  if (names.length > 0 && options.all) throw new UsageError('--all leaves nothing to name: give either');
  readStrategy(options, undefined); // what is wrong is said before the scenarios are loaded
  readBounds(options);

  const all = await host.loadScenarios();
  const scenarios = selectScenarios(all, replayed ? [replayed.scenario] : names);
  if (options.list) {
    host.out.write(`${listScenarios(scenarios)}\n`);
    return EXIT_OK;
  }
  if (replayed) checkToken(replayed, names, options);
  const chosen = selectDesigns(scenarios, replayed?.design ?? options.design);
  if (options.resume !== undefined && chosen.length > 1)
    throw new UsageError(`--resume goes on with one scenario and design, these are ${chosen.length}`);
  checkFiles(options);
  return await exploreAll(chosen, names, options, host);
}

function readToken(text: string): ReturnType<typeof decodeToken> {
  try {
    return decodeToken(text);
  } catch (error) {
    throw new UsageError(`--replay: ${(error as Error).message}`, { cause: error });
  }
}

/** A token says what it replays; a command that names something else was put together by mistake. */
function checkToken(token: ReturnType<typeof decodeToken>, names: readonly string[], { design }: ExploreOptions): void {
  const other = names.find((name) => name !== token.scenario);
  if (other !== undefined) throw new UsageError(`--replay: the token is of ${token.scenario}, not of ${other}`);
  if (design !== undefined && design !== token.design)
    throw new UsageError(`--replay: the token is of design "${token.design}", not of "${design}"`);
}

async function exploreAll(
  chosen: readonly Chosen[],
  names: readonly string[],
  options: ExploreOptions,
  host: ExploreHost,
): Promise<number> {
  const progress = new ExploreProgress(host.err);
  const explored: Explored[] = [];
  let failure: { reason: unknown } | undefined;
  // A thread in Atomics.wait and an engine in waitAsync keep no process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    for (const [at, { found, design }] of chosen.entries()) {
      if (host.signal.aborted) break;
      progress.start(at + 1, chosen.length, found.scenario.spec.name, design);
      const request = requestOf(found.scenario.spec.strategy, design, options, host, progress);
      const result = await orLate(host.explorer.explore(found.scenario, request), host.signal);
      if (result === undefined) {
        progress.note(`threads were still running ${STOP_MS} ms after the signal, and end with the process`);
        break;
      }
      explored.push({ found, result });
      progress.done(summaryLine(result));
    }
  } catch (reason) {
    failure = { reason };
  }
  clearInterval(alive);
  progress.stop();

  const results = explored.map(({ result }) => result);
  print(results, chosen.length === 1, options, host);
  const made = { command: commandOf(names, options), environment: readEnvironment() };
  for (const note of writeFiles(options, explored, made)) host.err.write(`${note}\n`);
  if (failure) throw failure.reason; // what was explored before it is worth having, and is out by now
  return exitCode(results, chosen.length, host);
}

function requestOf(
  own: Parameters<typeof readStrategy>[1],
  design: string,
  options: ExploreOptions,
  { signal }: ExploreHost,
  progress: ExploreProgress,
): ExploreRequest {
  const strategy = readStrategy(options, own);
  const bounds = readBounds(options);
  const { replay, resume } = options;
  return {
    design,
    ...(strategy ? { strategy } : {}),
    ...(bounds ? { bounds } : {}),
    twice: options.twice === true,
    checked: options.unchecked !== true,
    ...(replay === undefined ? {} : { replay }),
    ...(resume === undefined ? {} : { resume }),
    signal,
    onProgress: (schedules, seconds) => progress.at(schedules, seconds),
  };
}

/** A finding that was expected is printed where it was asked for alone; among many, only what was not. */
function print(results: readonly ExploreResult[], alone: boolean, options: ExploreOptions, { out }: ExploreHost): void {
  const show = { width: out.columns ?? 120, colour: out.hasColors?.() ?? false };
  for (const result of results) {
    if (!alone && verdictOf(result) !== 'unexpected') continue;
    out.write(`${describeResult(result)}\n`);
    if (result.finding) out.write(`\n${describeFinding(result.finding, show)}\n`);
  }
  if (!alone && results.length > 0) out.write(`${resultsTable(results)}\n`);
  for (const result of results) {
    if (result.resume === '' || result.finding) continue;
    if (alone || result.endedBy === 'interrupted')
      out.write(`go on: ${resumeCommand(result, givenAlongside(options))}\n`);
  }
}

function describeResult(result: ExploreResult): string {
  const { scenario, design, about, strategy } = result;
  return [
    `${scenario}, design "${design}": ${about}`,
    `${summaryLine(result)} (${strategy})`,
    ...describeOutcomes(result),
  ].join('\n');
}

/** What the token does not say. */
function givenAlongside({ unchecked, twice, steps }: ExploreOptions): string {
  const options = [
    unchecked ? '--unchecked' : '',
    twice ? '--twice' : '',
    steps === undefined ? '' : `--steps ${steps}`,
  ];
  return options
    .filter(Boolean)
    .map((option) => ` ${option}`)
    .join('');
}

function exitCode(results: readonly ExploreResult[], asked: number, { err, signal }: ExploreHost): number {
  const wrong = results.filter((result) => verdictOf(result) === 'unexpected');
  const undecided = results.filter((result) => verdictOf(result) === 'undecided');
  if (signal.aborted) {
    err.write(`interrupted: ${results.length - undecided.length} of ${asked} were explored\n`);
    for (const result of undecided) err.write(`  ${result.scenario}, ${result.design}: ${summaryLine(result)}\n`);
  }
  for (const result of wrong) err.write(`not as expected: ${describeVerdict(result)}\n`);
  if (wrong.length > 0) return EXIT_FAILED;
  return signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

/** Waits for the work, but after an abort no longer than the engine may take.
 * @returns undefined when the time ran out. */
async function orLate<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const arm = (): void => {
    timer = setTimeout(() => resolve(undefined), STOP_MS);
  };
  if (signal.aborted) arm();
  else signal.addEventListener('abort', arm, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', arm);
  }
}
