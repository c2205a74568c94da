import { expect, test } from 'vitest';
import { ExploreProgress } from './progress.ts';

function watch(terminal: object): { progress: ExploreProgress; text: () => string } {
  let text = '';
  const stream = { write: (part: string) => (text += part), ...terminal };
  return { progress: new ExploreProgress(stream), text: () => text };
}

test('without a terminal, a line a design and nothing between', () => {
  const { progress, text } = watch({});
  progress.start(2, 5, 'structures/mutex', 'as shipped');
  progress.at(1204, 0.5);
  progress.done('1,204 schedules, exhausted');
  expect(text()).toBe('2/5 structures/mutex, as shipped: 1,204 schedules, exhausted\n');
});

test('on a terminal one line is written over, no wider than the terminal', () => {
  const { progress, text } = watch({ isTTY: true, columns: 50 });
  progress.start(1, 1, 'structures/a-scenario-with-a-long-name', 'as shipped');
  progress.at(1204, 0.5);
  progress.stop();
  progress.stop();
  const lines = text().split('\r\x1b[K').slice(1);
  expect(lines[1]).toMatch(/^structures\/a-scen.*: 1,204 schedules, 0.5 s$/);
  for (const line of lines) expect(line.length).toBeLessThan(50);
  expect(lines).toHaveLength(3);
});
