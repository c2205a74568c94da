import { expect, test } from 'vitest';
import { entryWays, fullTableSum, SLOTS } from './entry-ways.ts';

test.each(entryWays())('$name: what is installed is read, and gone when it is cleared', (way) => {
  expect(way.peek()).toBe(0);
  expect(way.install()).toBe(SLOTS);
  expect(way.install()).toBe(0); // taken
  expect(way.peek()).toBe(fullTableSum());
  expect(way.read()).toBe(fullTableSum());
  way.clear();
  expect(way.read()).toBe(0);
});
