// Where everything of a sequence diagram is, in pixels: threads left, what they touch right, time downwards, a row a step.
import type { Finding, Step, StepKind } from '../result.ts';
import { wrapText } from './text.ts';
import { breaksAtEnd, describeRounds, describeStep, foldRounds, positionOf, turnsOf } from './turns.ts';

/** A vertical line: a thread, or an object that threads touch. */
export interface Lifeline {
  readonly name: string;
  readonly x: number;
  readonly end: number;
}

export type Direction = 'reads' | 'writes' | 'both';

export interface Row {
  readonly step: Step;
  readonly x: number;
  readonly y: number;
  readonly height: number;
  readonly lines: readonly string[];
  readonly source: string;
  readonly breaks: boolean;
  /** The lifeline that it touches. */
  readonly target: { readonly x: number; readonly direction: Direction } | undefined;
}

/** The turn goes from one thread to another. */
export interface Switch {
  readonly from: { readonly x: number; readonly y: number } | undefined;
  readonly to: { readonly x: number; readonly y: number };
  readonly why: string;
}

export interface Note {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly string[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Where the lifelines begin. */
  readonly head: number;
  /** The objects' names are written upwards. */
  readonly upright: boolean;
  readonly threads: readonly Lifeline[];
  readonly objects: readonly Lifeline[];
  readonly rows: readonly Row[];
  readonly switches: readonly Switch[];
  /** What a thread came to, at the end of its lifeline: where it is stuck, or its access of a race. */
  readonly ends: readonly Note[];
  /** Steps that go round and round. */
  readonly rounds: { readonly y: number; readonly height: number; readonly text: string } | undefined;
  /** What the check said afterwards. */
  readonly verdict: Note | undefined;
}

export const BOX = 262;
const HEAD = 34;
export const LINE = 16;
const THREAD = BOX + 20;
/** A character of the 12 pixel monospaced type, at its widest. */
export const CHARACTER = 7.3;
const IN_BOX = Math.floor((BOX - 20) / CHARACTER);
const PAD = 8;
const GAP = 7;
const SWITCH = 34;
const LONGEST_SOURCE = 28;
/** More lifelines than this, and objects of one region share one. */
const MOST_OBJECTS = 12;
/** Wider than this, and the objects' names are written upwards. */
const WIDE = 1180;
const UPRIGHT = 38;

const DIRECTIONS: Readonly<Partial<Record<StepKind, Direction>>> = {
  load: 'reads',
  read: 'reads',
  wait: 'reads',
  waitAsync: 'reads',
  wake: 'reads',
  store: 'writes',
  write: 'writes',
  notify: 'writes',
};

export function layOut(finding: Finding): Layout {
  const { threads } = finding;
  const folded = foldRounds(finding.steps);
  const sources = folded.steps.map((step) => shorten(positionOf(step)));
  const left = 44 + Math.ceil(Math.max(0, ...sources.map((source) => source.length)) * CHARACTER) + 16;
  const threadX = (thread: number): number => left + thread * THREAD + THREAD / 2;
  const { objects, depth, upright, right } = placeObjects(folded.steps, left + threads.length * THREAD);
  const width = Math.max(right, left + threads.length * THREAD) + 12;

  const rows: Row[] = [];
  const switches: Switch[] = [];
  const longestName = Math.max(0, ...Array.from(objects.keys(), (name) => name.length));
  const head = upright ? Math.max(HEAD, Math.ceil(longestName * CHARACTER) + 26) : HEAD;
  let y = head + 8;
  for (const turn of turnsOf(folded.steps, threads)) {
    const before = rows.at(-1);
    y += SWITCH - GAP;
    const from = before && { x: before.x, y: before.y + before.height };
    switches.push({ from, to: { x: threadX(turn.thread), y }, why: turn.why });
    for (const step of turn.steps) {
      const lines = phraseLines(step);
      const height = lines.length * LINE + PAD;
      const x = step.object === '' ? undefined : objects.get(lifelineOf(step.object, depth));
      const target = x === undefined ? undefined : { x, direction: DIRECTIONS[step.kind] ?? ('both' as const) };
      const breaks = breaksAtEnd(finding) && step === folded.steps.at(-1);
      rows.push({ step, x: threadX(step.thread), y, height, lines, source: sources[rows.length], breaks, target });
      y += height + GAP;
    }
  }
  const first = rows[rows.length - folded.round];
  const text = describeRounds(folded);
  const rounds = text === '' ? undefined : { y: first.y - 5, height: y - GAP - first.y + 10, text };
  if (rounds) y += LINE + 8;

  y += GAP;
  const ends = new Map(
    rows.filter(({ step }) => step.kind === 'end').map((row) => [row.step.thread, row.y + row.height]),
  );
  const notes = endNotes(finding).map(([thread, text]): Note => {
    const lines = wrapText(text, IN_BOX);
    return { x: threadX(thread) - BOX / 2, y, width: BOX, height: lines.length * LINE + PAD, lines };
  });
  const end = y;
  y += Math.max(0, ...notes.map(({ height }) => height + GAP));
  const verdict = breaksAtEnd(finding) ? undefined : noteOf(finding, left, y, width);
  return {
    width,
    head,
    upright,
    height: (verdict ? y + verdict.height : y) + 8,
    threads: threads.map((name, thread) => ({ name, x: threadX(thread), end: ends.get(thread) ?? end })),
    objects: Array.from(objects, ([name, x]) => ({ name, x, end })),
    rows,
    switches,
    ends: notes,
    rounds,
    verdict,
  };
}

function endNotes({ threads, stuck, race }: Finding): [thread: number, text: string][] {
  const notes = stuck.map(({ thread, where }) => [threads.indexOf(thread), `stuck: ${where}`] as [number, string]);
  for (const { thread, what } of race ?? []) notes.push([threads.indexOf(thread), `races: ${what}`]);
  return notes.filter(([thread]) => thread >= 0);
}

function noteOf({ kind, message }: Finding, x: number, y: number, right: number): Note {
  const width = right - x - 12;
  const lines = wrapText(`${kind}: ${message}`, Math.max(10, Math.floor((width - 20) / CHARACTER)));
  return { x, y, width, height: lines.length * LINE + PAD, lines };
}

interface Placed {
  readonly objects: ReadonlyMap<string, number>;
  /** How many parts of a word's name make its lifeline. */
  readonly depth: number;
  readonly upright: boolean;
  readonly right: number;
}

/** A lifeline an object, `slab[2]` of `slab[2].META`. Where that would be too many, those that share the first parts of their
 * names share one: `iopf.params` of `iopf.params.1` and `iopf.params.2`, and if need be `iopf`. */
function placeObjects(steps: readonly Step[], left: number): Placed {
  const words = steps.map((step) => step.object).filter((object) => object !== '');
  let depth = Math.max(1, ...words.map((word) => partsOf(word).length));
  const namesAt = (most: number): Set<string> => new Set(words.map((word) => lifelineOf(word, most)));
  while (depth > 1 && namesAt(depth).size > MOST_OBJECTS) depth--;
  const objects = new Map<string, number>();
  let right = left;
  const names = namesAt(depth);
  const level = (name: string): number => Math.max(76, Math.ceil(name.length * CHARACTER) + 28);
  const upright = Array.from(names, level).reduce((sum, width) => sum + width, left) > WIDE;
  for (const name of names) {
    const width = upright ? UPRIGHT : level(name);
    objects.set(name, right + width / 2);
    right += width;
  }
  return { objects, depth, upright, right };
}

function lifelineOf(word: string, depth: number): string {
  return partsOf(word).slice(0, depth).join('');
}

/** The parts of the object's name, without the word's own: `slab`, `[2]` of `slab[2].META`; `iopf`, `.work` of `iopf.work+128`. */
function partsOf(word: string): string[] {
  const object = word.replace(/(?<=.)(?:\.[^.[+]*|\+\d+)$/s, '');
  return object.match(/[.[]?[^.[]+/gs) ?? [object];
}

/** In as few lines as may be; of two such ways, the one with the object on a line of its own. */
function phraseLines(step: Step): string[] {
  const phrase = describeStep(step);
  const plain = wrapText(phrase, IN_BOX);
  if (plain.length === 1 || step.object === '') return plain;
  const object = `${step.object}:`;
  const apart = [...wrapText(object, IN_BOX), ...wrapText(phrase.slice(object.length).trimStart(), IN_BOX)];
  return apart.length <= plain.length ? apart : plain;
}

/** Leaves out folders from the left until what is left is short: the row's hover has all of it. */
function shorten(source: string): string {
  let rest = source;
  while (rest.length > LONGEST_SOURCE && rest.includes('/')) rest = rest.slice(rest.indexOf('/') + 1);
  return rest.length > LONGEST_SOURCE ? `…${rest.slice(1 - LONGEST_SOURCE)}` : rest;
}
