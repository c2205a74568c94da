import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { makeFinding, makeLivelock, makeRace, makeThree } from './finding.test-data.ts';
import { describeFinding } from './finding-text.ts';

const PLAIN = { width: 120, colour: false };

/** Cells of the lines that hold `text`. */
const cellsOf = (page: string, text: string): string[][] =>
  page
    .split('\n')
    .filter((line) => line.startsWith('│') && line.includes(text))
    .map((line) => line.slice(1, -1).split('│').map((cell) => cell.trim())); // biome-ignore format: one chain

test('opens with what broke, and where', () => {
  expect(describeFinding(makeFinding(), PLAIN)).toMatch(
    /^lost wake-up: bob sleeps for ever on mutex.word, .*\nstructures\/mutex, design "unlock notifies nobody"\n/,
  );
});

test('each step stands in its thread’s column, beside its source line', () => {
  const page = describeFinding(makeFinding(), PLAIN);
  expect(cellsOf(page, '#')).toEqual([['#', 'alice', 'bob', 'source']]);
  expect(cellsOf(page, '0 → 1')[0]).toEqual(['1', 'mutex.word: compareExchange 0 → 1', '', 'sync/mutex.ts:25']);
  expect(cellsOf(page, '1 → 2')).toEqual([['3', '', 'mutex.word: exchange 1 → 2', 'sync/mutex.ts:31']]);
  expect(cellsOf(page, ' ✗ 8 ')).toEqual([['✗ 8', 'ends', '', 'scenarios/structures/mutex.ts:22']]);
});

test('the reason of each switch stands above the thread that goes on', () => {
  const page = describeFinding(makeFinding(), PLAIN);
  expect(cellsOf(page, '◂')).toEqual([
    ['', '◂ starts', '', ''],
    ['', '', '◂ preempts alice', ''],
    ['', '◂ bob sleeps', '', ''],
  ]);
});

test('ends with how it was found and the command that replays it', () => {
  expect(describeFinding(makeFinding(), PLAIN)).toMatch(
    /\nfound with 7 switches, minimised to 2\nreplay: faultline explore structures\/mutex --design "unlock notifies nobody" --replay v1:\S+\n$/,
  );
  expect(describeFinding(makeRace(), PLAIN)).toContain('found with 1 switch, minimised to 1\n');
});

test('shows both accesses of a race, each with its stack, and who is stuck', () => {
  expect(describeFinding(makeRace(), PLAIN)).toContain(
    'Race between\n  prod: write ring.SLOT0\n    at ring/spsc.ts:41\n    at scenarios/structures/spsc.ts:12\n' +
      '  cons: read ring.SLOT0\n    at ring/spsc.ts:74\n',
  );
  const stuck = 'Stuck\n  bob: asleep on mutex.word\n    at sync/park.ts:12\n    at sync/mutex.ts:33\n';
  expect(describeFinding(makeFinding(), PLAIN)).toContain(stuck);
  expect(describeFinding(makeRace(), PLAIN)).not.toContain('Stuck');
});

test.each([60, 80, 120, 160])('three threads fit into %i columns, and every step is there', (width) => {
  const finding = makeThree();
  const page = describeFinding(finding, { width, colour: false });
  const table = page.split('\n').filter((line) => /^[│┌├└]/.test(line));
  expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(width);
  const numbers = table.flatMap((line) => /^│ +(\d+) │/.exec(line)?.[1] ?? []);
  expect(numbers).toEqual(finding.steps.map((step) => String(step.index + 1)));
});

test('where columns are narrow the source line is under its operation', () => {
  const page = describeFinding(makeFinding(), { width: 60, colour: false });
  expect(cellsOf(page, '#')).toEqual([['#', 'alice', 'bob']]);
  expect(cellsOf(page, 'sync/mutex.ts:31')).toEqual([['', '', 'sync/mutex.ts:31']]);
});

test('where no step is to blame none is marked', () => {
  for (const finding of [makeThree(), makeRace()]) expect(describeFinding(finding, PLAIN)).not.toContain('✗');
});

test('a livelock’s circle is shown once', () => {
  const page = describeFinding(makeLivelock(600), PLAIN);
  expect(page).toContain('the last 3 steps repeat, 600 times in all');
  expect(page.split('\n').length).toBeLessThan(25);
});

test('a finding without a step says so', () => {
  const page = describeFinding(
    makeFinding({ kind: 'refused', message: 'setTimeout', steps: [], stuck: [], token: '' }),
    PLAIN,
  );
  expect(page).toContain('refused: setTimeout');
  expect(page).toContain('It broke before the first step.');
  expect(page).not.toContain('replay');
});

test('colours change nothing but colour', () => {
  for (const finding of [makeFinding(), makeRace(), makeThree()]) {
    const coloured = describeFinding(finding, { width: 100, colour: true });
    expect(coloured).toContain('\x1b[31m');
    expect(stripVTControlCharacters(coloured)).toBe(describeFinding(finding, { width: 100, colour: false }));
  }
});

test('a schedule of a thousand steps is drawn at once', () => {
  const [step] = makeFinding().steps;
  const steps = Array.from({ length: 1000 }, (_, index) => ({ ...step, index, object: `words+${index}` }));
  const start = performance.now();
  expect(describeFinding(makeFinding({ steps }), PLAIN)).toContain('words+999');
  expect(performance.now() - start).toBeLessThan(1000);
});
