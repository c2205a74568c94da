import { LINE } from '@faultline/core/sync';
import { afterEach, expect, test } from 'vitest';
import { CookieTable } from './cookie-table.ts';
import { faultQueueWords, initFaultQueue } from './layout.ts';

const config = { number: 0, entries: 16, groups: 100 };
const words = new Int32Array(new SharedArrayBuffer(4 * (LINE + faultQueueWords(config))));
const load = Atomics.load;
afterEach(() => {
  Atomics.load = load;
});

/** Runs `other` after the first atomic load of what follows: as a thread that comes between. */
function between(other: () => void): void {
  Atomics.load = ((...args: Parameters<typeof load>) => {
    Atomics.load = load;
    const value = load(...args);
    other();
    return value;
  }) as typeof load;
}

function open(): CookieTable {
  initFaultQueue(words, LINE, config);
  return new CookieTable(words, LINE);
}

test('of two answers at the same time, one gets the group', () => {
  const cookies = open();
  const cookie = cookies.give(7);
  const got: number[] = [];
  between(() => got.push(cookies.redeem(cookie)));
  got.push(cookies.redeem(cookie));
  expect(got).toEqual([7, 0]);
});

test('an answer that is late by a whole life of the slot gets nothing, though the same group is there again', () => {
  const cookies = open();
  const cookie = cookies.give(7);
  let next = 0;
  between(() => {
    cookies.redeem(cookie);
    next = cookies.give(7);
  });
  expect(cookies.redeem(cookie)).toBe(0);
  expect(next).not.toBe(cookie);
  expect(cookies.redeem(next)).toBe(7);
});

test('an answer and a taking back: one gets the group', () => {
  const cookies = open();
  const cookie = cookies.give(7);
  const held = cookies.heldAt(1);
  expect(cookies.groupOf(held)).toBe(7);
  let taken = false;
  between(() => {
    taken = cookies.redeemSlot(1, held);
  });
  expect(cookies.redeem(cookie)).toBe(0);
  expect(taken).toBe(true);
});

test('the generation wraps, and cookies stay positive and apart', () => {
  const cookies = open();
  const seen = new Set<number>();
  for (let i = 0; i < 2 ** 15; i++) {
    const cookie = cookies.give(1 + (i % 100));
    seen.add(cookie);
    expect(cookie).toBeGreaterThan(0);
    cookies.redeem(cookie);
  }
  expect(seen.size).toBe(2 ** 15);
  expect(seen.has(cookies.give(1))).toBe(true);
});
