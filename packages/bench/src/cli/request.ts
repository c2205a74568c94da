// From options and a scenario file to parameters. The order of precedence: option, scenario, the command's default.
import { readFileSync } from 'node:fs';
import { type PerfettoRequest, readPerfettoOptions } from '../perfetto/options.ts';
import { type Command, defaultParameters } from '../scenario/defaults.ts';
import { parseScenario, type Scenario, type ScenarioValues } from '../scenario/file.ts';
import { ParameterError, parseParameters, type StressParameters, showProblem } from '../scenario/parameters.ts';
import { flagOf, givenParameters } from './options.ts';

/** What the user asked for cannot be done: one line a problem, exit code 2, no stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Request {
  command: Command;
  parameters: StressParameters;
  /** Parameters that the user chose, which calibration leaves alone. */
  chosen: ReadonlySet<string>;
  json?: string;
  html?: string;
  record?: string;
  perfetto?: PerfettoRequest;
}

/** @param values commander's, of the command that was given.
 * @throws UsageError naming the option or the scenario's line, and the value; ScenarioError likewise. */
export function readRequest(command: Command, values: Record<string, unknown>): Request {
  const file = values.scenario as string | undefined;
  const scenario = file === undefined ? undefined : readScenario(file);
  const given = givenParameters(values);
  const inFile: ScenarioValues = { ...scenario?.values };
  const merged: Record<string, unknown> = { ...defaultParameters(command, values.quick === true) };
  // A length given at a higher level replaces the other kind of length at a lower one.
  for (const level of [inFile, given]) {
    if (level.faults !== undefined || level.seconds !== undefined) {
      delete merged.faults;
      delete merged.seconds;
    }
    Object.assign(merged, level);
  }
  return {
    command,
    parameters: checkParameters(merged, new Set(Object.keys(given)), file, scenario),
    chosen: new Set([...Object.keys(given), ...Object.keys(inFile)]),
    ...(typeof values.json === 'string' ? { json: values.json } : {}),
    ...(typeof values.html === 'string' ? { html: values.html } : {}),
    ...(typeof values.record === 'string' ? { record: values.record } : {}),
    ...readPerfettoOptions(values),
  };
}

function readScenario(file: string): Scenario {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--scenario = ${JSON.stringify(file)}: cannot be read: ${(error as Error).message}`);
  }
  return parseScenario(text, file);
}

function checkParameters(
  merged: Record<string, unknown>,
  given: ReadonlySet<string>,
  file: string | undefined,
  scenario: Scenario | undefined,
): StressParameters {
  try {
    return parseParameters(merged);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    const lines = error.problems.map((problem) => {
      const field = String(problem.path[0]);
      const line = scenario?.lines.get(field);
      if (!given.has(field) && line !== undefined) return `${file}:${line}: ${showProblem(problem)}`;
      return showProblem({ ...problem, path: [flagOf(field) ?? field] });
    });
    throw new UsageError(lines.join('\n'), { cause: error });
  }
}
