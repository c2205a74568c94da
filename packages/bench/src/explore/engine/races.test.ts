// The detector against the definition: what happened before what, by brute force over the whole trace.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Races, shadowWords } from './races.ts';

type Kind = 'plain read' | 'plain write' | 'atomic read' | 'atomic write' | 'read and write' | 'critical';
interface Event {
  readonly thread: number;
  readonly kind: Kind;
  readonly loc: number;
}

const WORDS = 3;
const THREADS = 3;
const kinds: readonly Kind[] = [
  'plain read',
  'plain write',
  'atomic read',
  'atomic write',
  'read and write',
  'critical',
];

const isPlain = ({ kind }: Event): boolean => kind.startsWith('plain');
const writes = ({ kind }: Event): boolean => kind.endsWith('write');
const finds = ({ kind }: Event): boolean => kind === 'atomic read' || kind === 'read and write';
const same = (a: Event, b: Event): boolean => a.loc === b.loc;

/** For each event, those that happened before it. */
function happenedBefore(trace: readonly Event[]): Set<number>[] {
  const before: Set<number>[] = [];
  trace.forEach((event, at) => {
    const direct = trace.flatMap((earlier, i) => {
      if (i >= at) return [];
      const synchronises =
        same(earlier, event) && event.kind === 'critical' && earlier.kind === 'critical'
          ? true
          : finds(event) && lastWrite(trace, at) === i && !isPlain(earlier);
      return earlier.thread === event.thread || synchronises ? [i] : [];
    });
    before.push(new Set(direct.flatMap((i) => [i, ...before[i]])));
  });
  return before;
}

function lastWrite(trace: readonly Event[], at: number): number {
  for (let i = at - 1; i >= 0; i--) if (same(trace[i], trace[at]) && writes(trace[i])) return i;
  return -1;
}

/** The first event that races, and with which ones. */
function firstRace(trace: readonly Event[]): { at: number; others: number[] } | undefined {
  const before = happenedBefore(trace);
  for (let at = 0; at < trace.length; at++) {
    const event = trace[at];
    const others = trace.slice(0, at).flatMap((earlier, i) => {
      const conflict = same(earlier, event) && earlier.kind !== 'critical' && event.kind !== 'critical';
      const races = conflict && (writes(earlier) || writes(event)) && (isPlain(earlier) || isPlain(event));
      return races && earlier.thread !== event.thread && !before[at].has(i) ? [i] : [];
    });
    if (others.length > 0) return { at, others };
  }
  return undefined;
}

class Found extends Error {
  readonly other: number;
  readonly otherWhat: string;
  constructor(other: number, otherWhat: string) {
    super('a race');
    this.other = other;
    this.otherWhat = otherWhat;
  }
}

function detectors(shadow: Int32Array<SharedArrayBuffer>): Races[] {
  const marks = new Uint8Array(WORDS);
  return Array.from(
    { length: THREADS },
    (_, me) =>
      new Races(shadow, THREADS, me, marks, (_loc, _what, other, otherWhat) => {
        throw new Found(other, otherWhat);
      }),
  );
}

const apply: Readonly<Record<Kind, (races: Races, loc: number) => void>> = {
  'plain read': (races, loc) => races.plainRead(loc),
  'plain write': (races, loc) => races.plainWrite(loc),
  'atomic read': (races, loc) => races.atomicRead(loc),
  'atomic write': (races, loc) => races.atomicWrite(loc, false),
  'read and write': (races, loc) => races.atomicWrite(loc, true),
  critical: (races, loc) => races.critical(loc),
};

/** Runs a trace up to its first race. */
function detect(all: Races[], trace: readonly Event[]): { at: number; found: Found } | undefined {
  for (const [at, event] of trace.entries()) {
    try {
      apply[event.kind](all[event.thread], event.loc);
    } catch (error) {
      if (error instanceof Found) return { at, found: error };
      throw error;
    }
  }
  return undefined;
}

const traces = fc.array(
  fc.record<Event>({
    thread: fc.nat(THREADS - 1),
    // Plain ones are fewer: else every trace races at once.
    kind: fc.oneof({ weight: 1, arbitrary: fc.constantFrom(...kinds) }, fc.constantFrom(...kinds.slice(2))),
    loc: fc.nat(WORDS - 1),
  }),
  { maxLength: 24 },
);

test('a race is told where there is one, at its second access, and nowhere else', () => {
  const shadow = new Int32Array(new SharedArrayBuffer(shadowWords(WORDS, THREADS) * 4));
  const all = detectors(shadow); // for all traces, as in an exploration
  let races = 0;
  let none = 0;
  fc.assert(
    fc.property(traces, (trace) => {
      Races.begin(shadow, THREADS);
      const expected = firstRace(trace);
      const made = detect(all, trace);
      expect(made?.at).toBe(expected?.at);
      if (expected === undefined || made === undefined) {
        none++;
        return;
      }
      races++;
      const told = expected.others.map((i) => trace[i]);
      const what = (kind: Kind): string => (kind === 'read and write' ? 'atomic write' : kind);
      expect(told.some(({ thread, kind }) => thread === made.found.other && what(kind) === made.found.otherWhat)).toBe(
        true,
      );
    }),
    { numRuns: 20_000 },
  );
  expect(Math.min(races, none)).toBeGreaterThan(1_000);
});

test('clocks begin again before they overflow', () => {
  const shadow = new Int32Array(new SharedArrayBuffer(shadowWords(WORDS, THREADS) * 4));
  const all = detectors(shadow);
  shadow[0] = 2 ** 30 + 1;
  Races.begin(shadow, THREADS);
  expect(Math.max(...shadow)).toBeLessThan(10);
  expect(
    detect(all, [
      { thread: 0, kind: 'plain write', loc: 0 },
      { thread: 1, kind: 'plain read', loc: 0 },
    ])?.at,
  ).toBe(1);
});
