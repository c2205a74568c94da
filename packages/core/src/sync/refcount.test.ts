import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  REFCOUNT_SATURATED,
  refcountGet,
  refcountIncNotZero,
  refcountInit,
  refcountPut,
  refcountRead,
} from './index.ts';
import { wordsFor } from './testing.test-help.ts';

test('a count is a number that is never revived', () => {
  const calls = fc.array(fc.constantFrom('get', 'put', 'put', 'incNotZero'), { maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), calls, (initial, sequence) => {
      const words = wordsFor(0);
      refcountInit(words, 1, initial);
      let model = initial;
      for (const call of sequence) {
        if (call === 'incNotZero') {
          expect(refcountIncNotZero(words, 1)).toBe(model > 0);
          if (model > 0) model++;
        } else if (model === 0) {
          expect(() => (call === 'get' ? refcountGet : refcountPut)(words, 1)).toThrow(
            /count = 0.*gone already.*EINVAL/,
          );
        } else if (call === 'get') {
          refcountGet(words, 1);
          model++;
        } else expect(refcountPut(words, 1)).toBe(--model === 0);
        expect(refcountRead(words, 1)).toBe(model);
      }
    }),
  );
});

test('at its limit a count sticks', () => {
  const words = wordsFor(0);
  refcountInit(words, 1, REFCOUNT_SATURATED);
  refcountGet(words, 1);
  expect(refcountRead(words, 1)).toBe(REFCOUNT_SATURATED);
  expect(refcountPut(words, 1)).toBe(false);
  expect(refcountRead(words, 1)).toBe(REFCOUNT_SATURATED);
  expect(refcountIncNotZero(words, 1)).toBe(true);
  expect(refcountRead(words, 1)).toBe(REFCOUNT_SATURATED);
});

test.each([0, -1, 1.5, REFCOUNT_SATURATED + 1])('cannot start at %d', (n) => {
  expect(() => refcountInit(wordsFor(0), 1, n)).toThrow(/refcountInit: n = .*EINVAL/);
});
