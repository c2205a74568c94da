// Scenario files: YAML maps of parameters. What is wrong is said with its line and key, all of it at once.
import { type Document, isMap, isNode, isScalar, LineCounter, type Pair, parseDocument } from 'yaml';
import { type ParameterName, type ParameterProblem, parameterFields, problemsOf, showProblem } from './parameters.ts';

export type ScenarioValues = Partial<Record<ParameterName, unknown>>;

export interface Scenario {
  /** Checked field by field; what holds between fields is checked once the defaults and options are known. */
  readonly values: ScenarioValues;
  /** Line of each key, from 1. */
  readonly lines: ReadonlyMap<string, number>;
}

/** A scenario that cannot be run. One line of message for each problem, `file:line: key = value: why`. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Reads a scenario.
 * @param file its name, for messages.
 * @throws ScenarioError naming the line and key of everything that is wrong: syntax, unknown or repeated keys, types and limits. */
export function parseScenario(text: string, file: string): Scenario {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const lineAt = (offset: number): number => counter.linePos(offset).line;
  const refuse = (messages: string[]): never => {
    throw new ScenarioError(messages.join('\n'));
  };

  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) refuse(broken.map((error) => `${file}:${lineAt(error.pos[0])}: not YAML: ${error.message}`));
  const root = document.contents;
  if (!isMap(root)) {
    const line = root?.range ? lineAt(root.range[0]) : 1;
    return refuse([`${file}:${line}: a scenario is a map of parameters, such as \`threads: [8, 64]\``]);
  }

  const values: ScenarioValues = {};
  const lines = new Map<string, number>();
  const messages: string[] = [];
  for (const pair of root.items as Pair[]) {
    const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const line = lineAt((pair.key as { range?: [number, number, number] | null } | null)?.range?.[0] ?? 0);
    const before = lines.get(key);
    if (before !== undefined) {
      messages.push(`${file}:${line}: ${key}: is there twice, first on line ${before}`);
      continue;
    }
    lines.set(key, line);
    if (!isParameter(key)) {
      messages.push(`${file}:${line}: ${key}: is no parameter${suggestion(key)}`);
      continue;
    }
    const value = plainValue(pair, document);
    if (value === UNRESOLVED) {
      messages.push(`${file}:${line}: ${key}: names an anchor that is not there`);
      continue;
    }
    const checked = parameterFields[key].safeParse(value);
    if (checked.success) {
      values[key] = checked.data;
      continue;
    }
    for (const problem of problemsOf(checked.error, value)) {
      const node = problem.path.length > 0 ? document.getIn([key, ...problem.path], true) : undefined;
      const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
      const whole: ParameterProblem = { ...problem, path: [key, ...problem.path] };
      messages.push(`${file}:${range ? lineAt(range[0]) : line}: ${showProblem(whole)}`);
    }
  }
  if (messages.length > 0) refuse(messages);
  return { values, lines };
}

const UNRESOLVED = Symbol('unresolved');

/** The value as plain data. An alias without its anchor is found only here, as a ReferenceError. */
function plainValue(pair: Pair, document: Document): unknown {
  if (!isNode(pair.value)) return null;
  try {
    return pair.value.toJS(document);
  } catch (error) {
    if (error instanceof ReferenceError) return UNRESOLVED;
    throw error;
  }
}

function isParameter(key: string): key is ParameterName {
  return Object.hasOwn(parameterFields, key);
}

/** A spelling that differs in case and dashes alone, such as an option's. */
function suggestion(key: string): string {
  const bare = (name: string): string => name.replaceAll(/[-_]/g, '').toLowerCase();
  const meant = Object.keys(parameterFields).find((name) => bare(name) === bare(key));
  return meant ? `; ${meant} is meant, perhaps` : '';
}
