import { expect, test } from 'vitest';
import { makeFinding, makeLivelock, makeRace, makeSteps, makeThree } from './finding.test-data.ts';
import { breaksAtEnd, describeRounds, describeStep, foldRounds, turnsOf } from './turns.ts';

test('a turn is what one thread does before another goes on', () => {
  const { steps, threads } = makeThree();
  const turns = turnsOf(steps, threads);
  expect(turns.map(({ thread, steps, why }) => [threads[thread], steps.length, why])).toEqual([
    ['reporter', 2, 'starts'],
    ['replacer', 3, 'preempts reporter'],
    ['reporter', 3, 'replacer sleeps'],
    ['handler', 5, 'is woken'],
    ['replacer', 3, 'handler ended'],
  ]);
  expect(turns.flatMap((turn) => turn.steps)).toEqual(steps);
});

test('a step is said in one phrase, also where it touches nothing', () => {
  const [touching, silent, ends, thrown] = makeSteps([
    [0, 'compareExchange', 'mutex.word', '0 → 1'],
    [0, 'yield', '', ''],
    [0, 'end', '', ''],
    [0, 'end', '', 'throws RangeError'],
  ]);
  expect(describeStep(touching)).toBe('mutex.word: compareExchange 0 → 1');
  expect(describeStep(silent)).toBe('yield');
  expect(describeStep(ends)).toBe('ends');
  expect(describeStep(thrown)).toBe('ends, throws RangeError');
});

test('it breaks at the last step, unless no step is to blame', () => {
  expect(breaksAtEnd(makeFinding())).toBe(true);
  for (const finding of [makeThree(), makeRace(), makeLivelock(9)]) expect(breaksAtEnd(finding)).toBe(false);
  expect(breaksAtEnd(makeFinding({ steps: [] }))).toBe(false);
});

test('a circle at the end is taken once, and counted', () => {
  const folded = foldRounds(makeLivelock(600).steps);
  expect(folded).toMatchObject({ round: 3, times: 600 });
  expect(folded.steps).toHaveLength(1 + 3);
  expect(describeRounds(folded)).toBe('the last 3 steps repeat, 600 times in all');
});

test('a round that was broken off is kept whole before the circle', () => {
  const { steps } = makeLivelock(10);
  const folded = foldRounds(steps.slice(0, -1));
  expect(folded).toMatchObject({ round: 3, times: 9 });
  expect(folded.steps.length + 8 * 3).toBe(steps.length - 1);
});

test('what repeats less than four times is shown as it is', () => {
  const { steps } = makeLivelock(3);
  expect(foldRounds(steps)).toEqual({ steps, round: 0, times: 1 });
  expect(describeRounds(foldRounds(steps))).toBe('');
});
