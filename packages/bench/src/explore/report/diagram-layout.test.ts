import { expect, test } from 'vitest';
import { BOX, layOut } from './diagram-layout.ts';
import { makeFinding, makeLivelock, makeRace, makeSteps, makeThree } from './finding.test-data.ts';

test.each([
  ['two threads', makeFinding()],
  ['three threads', makeThree()],
  ['a race', makeRace()],
  ['a livelock', makeLivelock(600)],
])('%s: time runs downwards, and nothing lies over anything else', (_, finding) => {
  const layout = layOut(finding);
  const boxes = [...layout.rows, ...layout.ends, ...(layout.verdict ? [layout.verdict] : [])];
  for (let at = 1; at < layout.rows.length; at++) {
    expect(layout.rows[at].y).toBeGreaterThan(layout.rows[at - 1].y + layout.rows[at - 1].height);
  }
  const lowest = Math.max(...layout.rows.map(({ y, height }) => y + height));
  for (const { y } of layout.ends) expect(y).toBeGreaterThan(lowest);
  for (const { y, height } of boxes) expect(y + height).toBeLessThanOrEqual(layout.height);
  const columns = [...layout.threads, ...layout.objects].map(({ x }) => x);
  expect(columns).toEqual(columns.toSorted((a, b) => a - b));
  expect(layout.threads[1].x - layout.threads[0].x).toBeGreaterThan(BOX);
  expect(columns.at(-1)).toBeLessThan(layout.width);
});

test('each step is at its thread, and points at what it touches', () => {
  const { rows, threads, objects } = layOut(makeFinding());
  expect(rows.map(({ x }) => threads.findIndex((line) => line.x === x))).toEqual([0, 1, 1, 1, 0, 0, 0, 0]);
  expect(objects.map(({ name }) => name)).toEqual(['mutex', 'counter']);
  const targets = rows.map(({ target }) => [objects.find((line) => line.x === target?.x)?.name, target?.direction]);
  expect(targets.slice(2)).toEqual([
    ['mutex', 'both'],
    ['mutex', 'reads'],
    ['counter', 'reads'],
    ['counter', 'writes'],
    ['mutex', 'both'],
    [undefined, undefined],
  ]);
});

test('a switch leads from the last box to the next, and has its reason', () => {
  const { switches, threads } = layOut(makeFinding());
  expect(switches.map(({ from, to, why }) => [from?.x, to.x, why])).toEqual([
    [undefined, threads[0].x, 'starts'],
    [threads[0].x, threads[1].x, 'preempts alice'],
    [threads[1].x, threads[0].x, 'bob sleeps'],
  ]);
});

test('what it came to: the step that broke it, who is stuck, the race’s accesses, the check’s verdict', () => {
  const stuck = layOut(makeFinding());
  expect(stuck.rows.map(({ breaks }) => breaks)).toEqual([...Array(7).fill(false), true]);
  expect(stuck.ends.map(({ x, lines }) => [x, lines])).toEqual([
    [stuck.threads[1].x - BOX / 2, ['stuck: asleep on mutex.word']],
  ]);
  expect(stuck.verdict).toBeUndefined();
  expect(stuck.threads[0].end).toBeLessThan(stuck.threads[1].end); // alice has ended
  const race = layOut(makeRace());
  expect(race.ends.map(({ lines }) => lines.join(' '))).toEqual(['races: write ring.SLOT0', 'races: read ring.SLOT0']);
  const check = layOut(makeThree());
  expect(check.rows.some(({ breaks }) => breaks)).toBe(false);
  expect(check.verdict?.lines.join(' ')).toContain('check: the domain was freed');
});

test('an object is what a word’s name says before the word', () => {
  const objectsOf = (...words: string[]): string[] =>
    layOut(makeFinding({ steps: makeSteps(words.map((word) => [0, 'load', word, ''])), stuck: [] })).objects.map(
      ({ name }) => name,
    );
  expect(objectsOf('counter', 'mutex.word', 'slab[2].META', 'iopf.params.1.USERS', 'iopf.work+128', 'words+3')).toEqual(
    ['counter', 'mutex', 'slab[2]', 'iopf.params.1', 'iopf.work', 'words'],
  );
  const slots = Array.from({ length: 12 }, (_, at) => `slab[${at}].META`);
  expect(objectsOf(...slots)).toHaveLength(12);
  expect(objectsOf(...slots, 'slab[12].META')).toEqual(['slab']);
  const params = Array.from({ length: 12 }, (_, at) => `iopf.params.${at}.USERS`);
  expect(objectsOf(...params, 'iopf.work.PROD')).toEqual(['iopf.params', 'iopf.work']);
});

test('the names of many objects are written upwards, above everything else', () => {
  const touching = (count: number) =>
    makeSteps(Array.from({ length: count }, (_, at) => [0, 'load', `object-${at}`, '= 0']));
  const few = layOut(makeFinding({ steps: touching(4), stuck: [] }));
  const many = layOut(makeFinding({ steps: touching(12), stuck: [] }));
  expect([few.upright, many.upright]).toEqual([false, true]);
  expect(many.width).toBeLessThan(1200);
  expect(many.rows[0].y).toBeGreaterThan(many.head);
  expect(many.head).toBeGreaterThan(few.head);
});

test('where objects share a lifeline every step still points at one', () => {
  const steps = makeSteps(Array.from({ length: 13 }, (_, at) => [0, 'load', `slab[${at}].META`, '= 0']));
  const { rows, objects } = layOut(makeFinding({ steps, stuck: [] }));
  expect(rows.every(({ target }) => target?.x === objects[0].x)).toBe(true);
});

test('source lines keep the file and the line, however deep it lies', () => {
  const sources = layOut(makeThree()).rows.map(({ source }) => source);
  expect(sources[0]).toBe('report-device-fault.ts:112');
  const deep = makeFinding({ steps: makeSteps([[0, 'load', 'a', '= 0', '', `a/${'b'.repeat(40)}.ts:7`]]) });
  expect(layOut(deep).rows[0].source).toMatch(/^…b+\.ts:7$/);
});
