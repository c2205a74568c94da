import { LINE } from '@faultline/core/sync';
import { afterEach, expect, test } from 'vitest';
import { CookieTable } from './cookie-table.ts';
import { faultQueueWords, initFaultQueue } from './layout.ts';

const config = { number: 0, entries: 16, groups: 100 };
const words = new Int32Array(new SharedArrayBuffer(4 * (LINE + faultQueueWords(config))));
/** Of a slot: 31 bits less those of 100 slots and of the queue's number. */
const GENERATIONS = 2 ** (31 - 7 - 4);
const exchange = Atomics.compareExchange;
afterEach(() => {
  Atomics.compareExchange = exchange;
});

/** Runs `other` before the first compare-exchange of what follows: as a thread that comes between. */
function between(other: () => void): void {
  Atomics.compareExchange = ((...args: Parameters<typeof exchange>) => {
    Atomics.compareExchange = exchange;
    other();
    return exchange(...args);
  }) as typeof exchange;
}

function give(cookies: CookieTable, group: number): number {
  const cookie = cookies.reserve(group);
  cookies.publish(cookie, group);
  return cookie;
}

function open(): CookieTable {
  initFaultQueue(words, LINE, config);
  return new CookieTable(words, LINE);
}

test('of two answers at the same time, one gets the group', () => {
  const cookies = open();
  const cookie = give(cookies, 7);
  const got: number[] = [];
  between(() => got.push(cookies.redeem(cookie)));
  got.push(cookies.redeem(cookie));
  expect(got).toEqual([7, 0]);
});

test('an answer that is late by a whole life of the slot gets nothing, though the same group is there again', () => {
  const cookies = open();
  const cookie = give(cookies, 7);
  let next = 0;
  between(() => {
    cookies.redeem(cookie);
    next = give(cookies, 7);
  });
  expect(cookies.redeem(cookie)).toBe(0);
  expect(next).not.toBe(cookie);
  expect(cookies.redeem(next)).toBe(7);
});

test('an answer and a taking back: one gets the group', () => {
  const cookies = open();
  const cookie = give(cookies, 7);
  const held = cookies.heldAt(7);
  expect(cookies.groupOf(7)).toBe(7);
  let taken = false;
  between(() => {
    taken = cookies.redeemSlot(7, held);
  });
  expect(cookies.redeem(cookie)).toBe(0);
  expect(taken).toBe(true);
});

test('the generation wraps, and cookies stay positive and apart', () => {
  const cookies = open();
  const seen = new Set<number>();
  for (let i = 0; i < GENERATIONS; i++) {
    const cookie = give(cookies, 100);
    seen.add(cookie);
    if (cookie <= 0 || cookies.redeem(cookie) !== 100) throw new Error(`cookie ${cookie}`);
  }
  expect(seen.size).toBe(GENERATIONS);
  expect(seen.has(give(cookies, 100))).toBe(true);
});

test('a reserved cookie is nobody’s until it is published, and never again once it was aborted', () => {
  const cookies = open();
  const aborted = cookies.reserve(7);
  expect(cookies.redeem(aborted)).toBe(0);
  expect(cookies.heldAt(7)).toBe(0);
  cookies.abort(aborted);
  const next = give(cookies, 7);
  expect([cookies.redeem(aborted), cookies.redeem(next)]).toEqual([0, 7]);
});
