import { RESPONSE_FAILURE, RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import { OneThread, VARIANTS } from '../testing/one-thread.test-help.ts';

describe.each(VARIANTS)('%s (%s)', (...variant) => {
  test('groups are delivered together, oldest first, each with its view', () => {
    const one = new OneThread(variant);
    for (const grpid of [11, 12, 13]) one.report({ grpid, page: grpid });
    const cookies = new Int32Array(2);
    expect(one.queue.nextAll(cookies)).toBe(2);
    const shown = [1, 0].map((at) => {
      one.queue.show(at);
      return [one.queue.fault.grpid, one.queue.fault.page, one.queue.fault.cookie];
    });
    expect(shown).toEqual([
      [12, 12, cookies[1]],
      [11, 11, cookies[0]],
    ]);
    const [first, second] = cookies;
    expect(one.queue.nextAll(cookies)).toBe(1);
    expect(one.queue.nextAll(new Int32Array(1))).toBe(0);
    const answers = Int32Array.of(second, RESPONSE_SUCCESS, first, RESPONSE_INVALID, cookies[0], RESPONSE_SUCCESS);
    expect(one.queue.respondAll(answers, 3)).toBe(3);
    expect(one.ops.answers.map(({ grpid, code }) => [grpid, code])).toEqual([
      [12, RESPONSE_SUCCESS],
      [11, RESPONSE_INVALID],
      [13, RESPONSE_SUCCESS],
    ]);
    one.expectNothingLeft();
  });

  test.each([
    ['a repeated cookie', (cookie: number) => [cookie, RESPONSE_SUCCESS]],
    ['an invented one', (cookie: number) => [cookie ^ 1, RESPONSE_SUCCESS]],
    ['a code of nobody’s', (_: number, next: number) => [next, RESPONSE_FAILURE]],
  ])('%s stops a batch behind those before it', (_, bad) => {
    const one = new OneThread(variant);
    for (const grpid of [1, 2, 3]) one.report({ grpid });
    const cookies = new Int32Array(3);
    one.queue.nextAll(cookies);
    const [first, second, third] = cookies;
    const refused = bad(first, second);
    const answers = Int32Array.of(first, RESPONSE_SUCCESS, ...refused, third, RESPONSE_SUCCESS);
    expect(one.queue.respondAll(answers, 3)).toBe(1);
    expect(one.ops.answers.map(({ grpid }) => grpid)).toEqual([1]);
    expect(one.queue.respondAll(answers.subarray(2), 2)).toBe(0);
    for (const cookie of [second, third]) expect(one.queue.respond(cookie, RESPONSE_SUCCESS)).toBe(true);
    one.expectNothingLeft();
  });

  test('more than are answered at once', () => {
    const one = new OneThread(variant);
    const all: number[] = [];
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 12; i++) one.report({ grpid: all.length + i });
      const cookies = new Int32Array(16);
      const count = one.queue.nextAll(cookies);
      all.push(...cookies.subarray(0, count));
    }
    expect(all).toHaveLength(96);
    const answers = Int32Array.from(all.flatMap((cookie) => [cookie, RESPONSE_SUCCESS]));
    expect(one.queue.respondAll(answers, all.length)).toBe(all.length);
    expect(one.ops.answers.map(({ grpid }) => grpid)).toEqual(all.map((_, i) => i));
    one.expectNothingLeft();
  });
});
