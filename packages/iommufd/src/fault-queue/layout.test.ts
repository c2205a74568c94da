import { LINE } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import { CONFIG, OneThread } from '../testing/one-thread.test-help.ts';
import { CookieTable } from './cookie-table.ts';
import { FaultQueue, FaultSink, faultQueueWords, initFaultQueue, reportsNothing } from './index.ts';

const right = { number: 0, entries: 16, groups: 256 };

test('a bad parameter is refused by field and value', () => {
  expect(() => faultQueueWords({ ...right, number: 16 })).toThrow('number = 16: must be a whole number from 0 to 15');
  expect(() => faultQueueWords({ ...right, groups: 0 })).toThrow('groups = 0: must be a whole number from 1 to 65535');
  expect(() => faultQueueWords({ ...right, entries: 12 })).toThrow('12: must be a power of two');
  const words = new Int32Array(new SharedArrayBuffer(4 * (LINE + faultQueueWords(right) - 1)));
  expect(() => initFaultQueue(words, LINE, right)).toThrow('initFaultQueue: base = 32');
});

test('nothing is opened where no queue was laid out, or one for fewer groups than there are', () => {
  const one = new OneThread(['lockless', 'split']);
  const { system, path, ops } = one;
  const { words } = system;
  const base = one.arena.base('queue0');
  words.fill(0, base, base + LINE);
  expect(() => new FaultSink({ system, routes: one.routes, queues: [base], work: reportsNothing })).toThrow(
    `FaultSink: base = ${base}: no fault queue was laid out here`,
  );
  expect(() => new FaultQueue({ system, path, ops, base })).toThrow('no fault queue was laid out here');
  initFaultQueue(words, base, { ...right, groups: CONFIG.requests - 1 });
  expect(() => new FaultQueue({ system, path, ops, base })).toThrow('FaultQueue: groups = 255: there are 256');
});

test('the largest queue has room for its cookies', () => {
  const most = { number: 15, entries: 65536, groups: 65535 };
  const words = new Int32Array(new SharedArrayBuffer(4 * (LINE + faultQueueWords(most))));
  initFaultQueue(words, LINE, most);
  const cookies = new CookieTable(words, LINE);
  const cookie = cookies.reserve(65535);
  cookies.publish(cookie, 65535);
  expect(cookies.redeem(cookie)).toBe(65535);
});
