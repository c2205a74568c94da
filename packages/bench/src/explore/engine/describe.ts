// Turns what the threads noted into a finding.
import type { Access, Finding, FindingKind, Step, StepKind, SwitchReason } from '../result.ts';
import {
  FAIL_BOOKS,
  FAIL_CHECK,
  FAIL_EXCEPTION,
  FAIL_LIVELOCK,
  FAIL_NONDETERMINISM,
  FAIL_OUTCOME,
  FAIL_RACE,
  FAIL_STUCK,
  FAIL_USE_AFTER_FREE,
  K_WAIT,
} from './control.layout.ts';
import { type Memories, nameWord } from './placement.ts';
import type { RecordedStep } from './recorder.ts';
import type { SessionEnd } from './session.ts';

const KINDS: readonly StepKind[] = [
  'load',
  'store',
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'exchange',
  'compareExchange',
  'wait',
  'notify',
  'waitAsync',
  'wake',
  'yield',
  'read',
  'write',
  'call',
  'done',
  'wake',
  'end',
];

const FINDINGS: Readonly<Record<number, FindingKind>> = {
  [FAIL_BOOKS]: 'unbalanced books',
  [FAIL_EXCEPTION]: 'exception',
  [FAIL_CHECK]: 'check',
  [FAIL_OUTCOME]: 'forbidden outcome',
  [FAIL_LIVELOCK]: 'livelock',
  [FAIL_RACE]: 'data race',
  [FAIL_USE_AFTER_FREE]: 'use after free',
  [FAIL_NONDETERMINISM]: 'nondeterminism',
};

export interface Described {
  readonly kind: FindingKind;
  readonly message: string;
  readonly steps: readonly Step[];
  readonly race?: readonly [Access, Access];
  readonly stuck: Finding['stuck'];
}

/** @param end of a session that recorded. */
export function describe(end: SessionEnd, names: readonly string[], memories: Memories): Described {
  const recorded = end.steps.toSorted((a, b) => a.index - b.index);
  const steps = recorded.map((step, i) => toStep(step, recorded[i - 1], memories, i));
  const stuck = names.flatMap((thread, at) =>
    end.stuckAt[at] === ''
      ? []
      : [{ thread, where: whereStuck(recorded, at, memories), stack: trimStack(end.stuckAt[at]) }],
  );
  const common = { steps, stuck: end.failure === FAIL_STUCK || end.failure === FAIL_LIVELOCK ? stuck : [] };
  if (end.failure === FAIL_STUCK) return { ...common, ...describeStuck(end, recorded, names, memories) };
  if (end.failure === FAIL_LIVELOCK)
    return {
      ...common,
      kind: 'livelock',
      message: `${stuck.map((each) => each.thread).join(' and ')}: no progress, however long`,
    };
  const kind = FINDINGS[end.failure] ?? 'check';
  if (end.failure === FAIL_NONDETERMINISM)
    return { ...common, kind, message: 'the same schedule made different operations when it was run again' };
  const { problem } = end;
  if (end.failure === FAIL_RACE && problem?.race !== undefined) {
    const { loc, what, other, otherWhat, by } = problem.race;
    const first = end.accesses.findLast((access) => access.thread === other && access.what === otherWhat);
    const race: readonly [Access, Access] = [
      { thread: names[other], what: otherWhat, stack: trimStack(first?.stack ?? '') },
      { thread: names[by], what, stack: trimStack(problem.stack) },
    ];
    const message = `${nameWord(memories, loc)}: ${otherWhat} by ${names[other]}, ${what} by ${names[by]}, and nothing between them`;
    return { ...common, kind, message, race };
  }
  return { ...common, kind, message: problem?.message ?? '' };
}

function describeStuck(
  end: SessionEnd,
  recorded: readonly RecordedStep[],
  names: readonly string[],
  memories: Memories,
): { kind: FindingKind; message: string } {
  const asleep = names.flatMap((name, at) => (end.stuckAt[at] === '' ? [] : [{ name, at }]));
  const words = new Int32Array(memories.shared.buffer);
  const changed = asleep.find(({ at }) => {
    const wait = recorded.findLast((step) => step.thread === at && step.kind === K_WAIT);
    return wait !== undefined && !wait.effect.startsWith(`= ${words[wait.loc]}:`);
  });
  const all = asleep.map(({ name, at }) => `${name} on ${whereStuck(recorded, at, memories)}`).join(', ');
  if (changed !== undefined || asleep.length === 1) return { kind: 'lost wake-up', message: `asleep for ever: ${all}` };
  return { kind: 'deadlock', message: `nobody can go on, each for want of another: ${all}` };
}

function whereStuck(recorded: readonly RecordedStep[], thread: number, memories: Memories): string {
  const last = recorded.findLast((step) => step.thread === thread);
  return last === undefined ? 'nothing yet' : `${nameWord(memories, last.loc)} (${KINDS[last.kind]} ${last.effect})`;
}

function toStep(step: RecordedStep, before: RecordedStep | undefined, memories: Memories, index: number): Step {
  return {
    index,
    thread: step.thread,
    kind: KINDS[step.kind],
    object: nameWord(memories, step.loc),
    effect: step.effect,
    why: reason(step, before),
    stack: trimStack(step.stack),
  };
}

function reason(step: RecordedStep, before: RecordedStep | undefined): SwitchReason {
  if (before === undefined) return 'start';
  if (before.thread === step.thread) return '';
  const kind = KINDS[step.kind];
  if (kind === 'wake') return 'woken';
  if (KINDS[before.kind] === 'end') return 'ended';
  if ((step.enabled & (1 << before.thread)) !== 0) return 'preempted';
  return KINDS[before.kind] === 'wait' || KINDS[before.kind] === 'waitAsync' ? 'asleep' : 'spinning';
}

const OURS = /\/explore\/engine\/|\(node:|at node:|at async|new Promise|at Proxy/;

/** Source positions of the code under test, innermost first, as `mutexLock sync/mutex.ts:25`. */
export function trimStack(stack: string): string[] {
  return stack
    .split('\n')
    .slice(1)
    .filter((line) => line.includes('file:') && !OURS.test(line))
    .map((line) => {
      const match = /at (?:(.*?) \()?file:\/\/(.*?):(\d+):\d+\)?$/.exec(line.trim());
      if (match === null) return line.trim();
      const [, where, path, number] = match;
      const short = path.replace(/^.*\/packages\/\w+\/(?:src\/)?/, '').replace(/^.*\/node_modules\//, '');
      return `${short}:${number}${where === undefined ? '' : ` ${where}`}`;
    });
}
