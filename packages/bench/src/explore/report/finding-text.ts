// A finding on a terminal: what broke, who did what in which order, and how to see it again.
import type { Access, Finding, Step } from '../result.ts';
import { boxTable, type Lines } from './box.ts';
import { countOf, type Paint, painter, replayCommand, wrapText } from './text.ts';
import { breaksAtEnd, describeRounds, describeStep, foldRounds, positionOf, type Turn, turnsOf } from './turns.ts';

export interface FindingTextOptions {
  /** Columns of the terminal. Much narrower than 60 is not kept to. */
  readonly width: number;
  /** Whether escape codes may be used. */
  readonly colour: boolean;
}

/** The finding as text that ends with a line feed. */
export function describeFinding(finding: Finding, options: FindingTextOptions): string {
  const paint = painter(options.colour);
  const { kind, message, scenario, design, switches, foundSwitches, token } = finding;
  const [first, ...more] = wrapText(`${kind}: ${message}`, options.width);
  const sections = [
    [paint('red', first), ...more.map((line) => paint('red', line)), `${scenario}, design "${design}"`].join('\n'),
    scheduleTable(finding, options.width, paint),
  ];
  if (finding.race)
    sections.push(['Race between', ...finding.race.flatMap((access) => accessLines(access, paint))].join('\n'));
  if (finding.stuck.length > 0) {
    const lines = finding.stuck.flatMap(({ thread, where, stack }) => located(`${thread}: ${where}`, stack, paint));
    sections.push(['Stuck', ...lines].join('\n'));
  }
  const found = `found with ${countOf(foundSwitches, 'switch', 'switches')}, minimised to ${switches.toLocaleString('en')}`;
  if (token !== '') sections.push(`${found}\nreplay: ${replayCommand(scenario, design, token)}`);
  return `${sections.join('\n\n')}\n`;
}

function accessLines({ thread, what, stack }: Access, paint: Paint): string[] {
  return located(`${thread}: ${what}`, stack, paint);
}

function located(what: string, stack: readonly string[], paint: Paint): string[] {
  return [`  ${what}`, ...stack.map((frame) => paint('dim', `    at ${frame}`))];
}

/** A thread's column narrower than this has its source lines in it: a column of their own would leave it nothing. */
const NARROW = 20;
const NARROWEST = 10;
/** Most that the source lines may take of the width. */
const SOURCE_SHARE = 0.28;

function scheduleTable(finding: Finding, width: number, paint: Paint): string {
  const { threads } = finding;
  const folded = foldRounds(finding.steps);
  if (folded.steps.length === 0) return 'It broke before the first step.';
  const longest = Math.max(0, ...folded.steps.map((step) => positionOf(step).length));
  const layout = fitColumns(threads.length, width, Math.min(longest, Math.floor(width * SOURCE_SHARE)));
  const head = ['#', ...threads, ...(layout.source > 0 ? ['source'] : [])];
  const last = breaksAtEnd(finding) ? folded.steps.at(-1) : undefined;
  const rows = turnsOf(folded.steps, threads).map((turn) => turnRow(turn, threads.length, layout, last, paint));
  const table = boxTable(head, rows);
  const rounds = describeRounds(folded);
  return rounds ? `${table}\n${rounds}` : table;
}

interface Layout {
  readonly thread: number;
  /** 0 where the source lines are in the threads' own columns. */
  readonly source: number;
}

function fitColumns(threads: number, width: number, source: number): Layout {
  const INDEX = 4;
  const FRAME = 3; // two spaces and a border a column
  const share = (columns: number, rest: number): number =>
    Math.floor((width - 1 - columns * FRAME - INDEX - rest) / Math.max(1, threads));
  const beside = share(threads + 2, source);
  if (beside >= NARROW) return { thread: beside, source };
  return { thread: Math.max(NARROWEST, share(threads + 1, 0)), source: 0 };
}

/** One row a turn, and in it a line or more a step, side by side with its number and its source. */
function turnRow(turn: Turn, threads: number, layout: Layout, last: Step | undefined, paint: Paint): Lines[] {
  const numbers: string[] = [];
  const operations: string[] = [];
  const sources: string[] = [];
  const add = (number: string, operation: readonly string[], source: readonly string[]): void => {
    for (let line = 0; line < Math.max(operation.length, source.length); line++) {
      numbers.push(line === 0 ? number : '');
      operations.push(operation[line] ?? '');
      sources.push(source[line] ?? '');
    }
  };
  add(
    '',
    wrapText(`◂ ${turn.why}`, layout.thread).map((line) => paint('yellow', line)),
    [],
  );
  for (const step of turn.steps) {
    const breaks = step === last;
    const phrase = wrapText(describeStep(step), layout.thread).map((line) => (breaks ? paint('red', line) : line));
    const source = wrapText(positionOf(step), layout.source || layout.thread).map((line) => paint('dim', line));
    const number = breaks ? paint('red', `✗ ${step.index + 1}`) : String(step.index + 1);
    if (layout.source > 0) add(number, phrase, source);
    else add(number, [...phrase, ...source], []);
  }
  const cells = Array.from({ length: threads }, (_, thread) => (thread === turn.thread ? operations : []));
  return [numbers, ...cells, ...(layout.source > 0 ? [sources] : [])];
}
