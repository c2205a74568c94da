import fc from 'fast-check';
import { expect, test } from 'vitest';
import { choicesOf, minimise, runsOf } from './minimise.ts';

const switches = (choices: Uint8Array): number => Math.max(0, runsOf(choices).length - 1);

/** Two threads of so many steps each: choices that are given, as far as they go, then no switch that is not needed. */
function made(choices: Uint8Array, steps: number): Uint8Array {
  const left = [steps, steps];
  const done: number[] = [];
  for (const given of choices) if (left[given] > 0) done.push(given) && left[given]--;
  let last = done.at(-1) ?? 0;
  while (left[0] + left[1] > 0) {
    if (left[last] === 0) last = 1 - last;
    done.push(last);
    left[last]--;
  }
  return Uint8Array.from(done);
}

const schedules = fc.array(fc.nat(1), { maxLength: 24 }).map((choices) => made(Uint8Array.from(choices), 8));

test('what comes back breaks the same, with no more switches', async () => {
  await fc.assert(
    fc.asyncProperty(schedules, fc.nat(15), fc.nat(15), async (found, a, b) => {
      // It breaks the same where these two steps come to the same threads.
      const breaks = (choices: Uint8Array): boolean => choices[a] === found[a] && choices[b] === found[b];
      const best = await minimise(found, (choices) => {
        const whole = made(choices, 8);
        return Promise.resolve(breaks(whole) ? whole : undefined);
      });
      expect(breaks(best)).toBe(true);
      expect(switches(best)).toBeLessThanOrEqual(switches(found));
      expect([...best].sort()).toEqual([...found].sort());
    }),
    { numRuns: 300 },
  );
});

test('what nothing repeats comes back as it was found', async () => {
  const found = made(Uint8Array.from([0, 1, 0, 1, 1, 0]), 8);
  expect(await minimise(found, () => Promise.resolve(undefined))).toBe(found);
});

test('told that it is enough, it tries no more', async () => {
  let attempts = 0;
  const found = made(Uint8Array.from([0, 1, 0, 1, 1, 0, 1, 0]), 8);
  const best = await minimise(
    found,
    (choices) => {
      attempts++;
      return Promise.resolve(attempts > 3 ? made(choices, 8) : undefined);
    },
    () => attempts === 3,
  );
  expect(attempts).toBe(3);
  expect(best).toBe(found);
});

test('runs and choices are the same', () => {
  fc.assert(
    fc.property(schedules, (choices) => {
      expect(choicesOf(runsOf(choices))).toEqual(choices);
    }),
  );
});
