import { beforeEach, describe, expect, test } from 'vitest';
import { attachDomain, detachDomain, replaceDomain } from '../attach.ts';
import { allocDomain, freeDomain } from '../domain.ts';
import { GROUP_COUNT, GROUP_FAULTS, HANDLER_NONE, HANDLER_NOOP, REQUEST_CHAIN, REQUEST_WORDS } from '../layout.ts';
import { FAULT_PAGE_LO, RESPONSE_FAILURE, RESPONSE_INVALID, RESPONSE_SUCCESS } from '../record.ts';
import { OneThread } from '../testing/bench-system.ts';
import { GENERATIONS, type Generation } from './index.ts';

const VARIANTS = [...GENERATIONS.map((generation) => [generation, 'split'] as const), ['lockless', 'shared'] as const];

/** Pages of a group in the order a handler meets them. */
function pagesOf(one: OneThread, group: number): number[] {
  const { words, requests } = one.system;
  const at = (index: number): number => requests.objects + index * REQUEST_WORDS;
  const pages: number[] = [];
  for (let member = words[at(group) + GROUP_FAULTS]; member !== 0; member = words[at(member) + REQUEST_CHAIN])
    pages.push(words[at(member) + FAULT_PAGE_LO]);
  return [...pages, words[at(group) + FAULT_PAGE_LO]];
}

function removeFully(one: OneThread, device: number): void {
  expect(one.path.removeDevice(device)).not.toBe('busy');
  one.settle();
  expect(one.path.isReleased()).toBe(true);
}

describe.each(VARIANTS)('%s (%s)', (generation: Generation, sharing) => {
  let one: OneThread;
  let domain: number;

  beforeEach(() => {
    one = new OneThread(generation, { sharing });
    domain = allocDomain(one.system, { handler: HANDLER_NOOP });
    expect(one.path.addDevice(1)).toBe(true);
    attachDomain(one.system, 1, 0, domain);
    attachDomain(one.system, 1, 5, domain);
  });

  /** Every object is back, every counter at zero: asked at the end of each test. */
  function expectBalanced(): void {
    detachDomain(one.system, 1, 0);
    detachDomain(one.system, 1, 5);
    removeFully(one, 1);
    freeDomain(one.system, domain);
    one.path.close();
    expect(one.system.requests.live()).toBe(0);
    expect(one.system.params.live()).toBe(0);
    expect(one.system.handles.live()).toBe(0);
    expect(one.system.pending.read(domain)).toBe(0);
  }

  test('a last request becomes a group, is answered once and leaves nothing behind', () => {
    expect(one.report({ grpid: 7, page: 42 })).toBe(0);
    const groups = one.take();
    expect(groups).toHaveLength(1);
    expect(one.path.groupDomain(groups[0])).toBe(domain);
    expect(pagesOf(one, groups[0])).toEqual([42]);
    expect(one.finish(groups[0])).toBe(true);
    expect(one.ops.answers).toEqual([{ device: 1, grpid: 7, code: RESPONSE_SUCCESS }]);
    expectBalanced();
  });

  test('requests without LAST_PAGE are set aside, and join their group oldest first', () => {
    one.report({ grpid: 3, page: 1, last: false });
    one.report({ grpid: 4, page: 9, last: false });
    one.report({ grpid: 3, page: 2, last: false });
    expect(one.take()).toEqual([]);
    one.report({ grpid: 3, page: 3 });
    const [first] = one.take();
    expect(pagesOf(one, first)).toEqual([1, 2, 3]);
    expect(one.system.words[one.system.requests.objects + first * REQUEST_WORDS + GROUP_COUNT]).toBe(3);
    one.finish(first);
    one.report({ grpid: 4, page: 10 });
    const [second] = one.take();
    expect(pagesOf(one, second)).toEqual([9, 10]);
    one.finish(second);
    expect(one.ops.answers.map((answer) => answer.grpid)).toEqual([3, 4]);
    expectBalanced();
  });

  test('the PASID finds its own domain', () => {
    const other = allocDomain(one.system, { handler: HANDLER_NOOP });
    replaceDomain(one.system, 1, 5, other);
    one.report({ pasid: 5 });
    const [group] = one.take();
    expect(one.path.groupDomain(group)).toBe(other);
    one.finish(group);
    replaceDomain(one.system, 1, 5, domain);
    freeDomain(one.system, other);
    expectBalanced();
  });

  test('answers may come in any order', () => {
    for (let grpid = 1; grpid <= 5; grpid++) one.report({ grpid });
    for (const group of one.take().reverse()) one.finish(group);
    expect(one.ops.answers.map((answer) => answer.grpid)).toEqual([5, 4, 3, 2, 1]);
    expectBalanced();
  });

  test('a device without a fault_param is answered Invalid', () => {
    expect(one.report({ device: 2, grpid: 1 })).toBeLessThan(0);
    expect(one.ops.answers).toEqual([{ device: 2, grpid: 1, code: RESPONSE_INVALID }]);
    expectBalanced();
  });

  test('a request without LAST_PAGE is not answered alone, but by mainline, as Linux does', () => {
    expect(one.report({ device: 2, grpid: 1, last: false })).toBeLessThan(0);
    expect(one.ops.answers).toHaveLength(generation === 'mainline' ? 1 : 0);
    expectBalanced();
  });

  test('an unknown device is answered Invalid', () => {
    expect(one.report({ device: 77, grpid: 1 })).toBeLessThan(0);
    expect(one.ops.answers).toHaveLength(1);
    expectBalanced();
  });

  test('device 0, which is nothing, is answered Invalid, whatever was reported before it', () => {
    one.report({ grpid: 1 });
    for (const group of one.take()) one.finish(group);
    expect(one.report({ device: 0, grpid: 2 })).toBeLessThan(0);
    expect(one.ops.answers[1]).toEqual({ device: 0, grpid: 2, code: RESPONSE_INVALID });
    expectBalanced();
  });

  test('a domain that cannot fault is answered Invalid, by the report or by the worker', () => {
    const blocked = allocDomain(one.system, { handler: HANDLER_NONE });
    replaceDomain(one.system, 1, 0, blocked);
    one.report({ grpid: 1 });
    for (const group of one.take()) {
      const found = one.path.groupDomain(group);
      expect(found).toBe(blocked); // `locked` looks only now
      one.finish(group, RESPONSE_INVALID);
    }
    expect(one.ops.answers).toEqual([{ device: 1, grpid: 1, code: RESPONSE_INVALID }]);
    replaceDomain(one.system, 1, 0, domain);
    freeDomain(one.system, blocked);
    expectBalanced();
  });

  test('a full slab: the last request is answered Failure, nothing leaks, the path goes on', () => {
    const held: number[] = [];
    for (let grpid = 1; one.ops.answers.length === 0; grpid++) {
      one.report({ grpid });
      held.push(...one.take());
    }
    expect(one.ops.answers[0].code).toBe(RESPONSE_FAILURE);
    for (const group of held) one.finish(group);
    one.ops.answers.length = 0;
    one.report({ grpid: 999 });
    for (const group of one.take()) one.finish(group);
    expect(one.ops.answers).toEqual([{ device: 1, grpid: 999, code: RESPONSE_SUCCESS }]);
    expectBalanced();
  });

  test('a full work ring: the request is answered Failure, nothing leaks, the path goes on', () => {
    let sent = 0;
    while (one.ops.answers.length === 0) one.report({ grpid: sent++ });
    expect(sent - 1).toBe(64);
    expect(one.ops.answers).toEqual([{ device: 1, grpid: 64, code: RESPONSE_FAILURE }]);
    const groups = one.take();
    expect(groups).toHaveLength(64);
    for (const group of groups) one.finish(group);
    expectBalanced();
  });

  test('a device has one fault_param', () => {
    expect(one.path.addDevice(1)).toBe(false);
    expectBalanced();
  });

  test('removal drops what was set aside', () => {
    one.report({ grpid: 1, last: false });
    one.report({ grpid: 2, last: false });
    expectBalanced();
    expect(one.path.books.dropped).toBe(2);
  });

  test('after an overflow the set-aside requests are discarded', () => {
    one.report({ grpid: 1, last: false });
    expect(one.path.discardPartial(1)).toBe(1);
    one.report({ grpid: 1, page: 8 });
    const [group] = one.take();
    expect(pagesOf(one, group)).toEqual([8]);
    one.finish(group);
    expectBalanced();
  });

  test('PRI-off answers what is pending; the holder answers nothing twice', () => {
    one.report({ grpid: 1 });
    one.report({ grpid: 2 });
    const groups = one.take();
    for (const group of groups) one.path.groupDomain(group); // the holders have looked, and go on from what they saw
    const answered = one.path.respondPending(1, RESPONSE_INVALID);
    if (answered === -1) {
      expect(generation).toBe('locked'); // refuses instead, until its workers are done
      expect(one.path.removeDevice(1)).toBe('busy');
      for (const group of groups) one.finish(group);
    } else {
      expect(answered).toBe(2);
      for (const group of groups) expect(one.finish(group)).toBe(false);
      expect(one.path.books.late).toBe(2);
    }
    expect(one.ops.answers.map((answer) => answer.grpid).sort()).toEqual([1, 2]);
    expectBalanced();
  });

  test('a domain with a pending fault cannot be freed where it counts them', () => {
    const other = allocDomain(one.system, { handler: HANDLER_NOOP });
    replaceDomain(one.system, 1, 0, other);
    one.report({ grpid: 1 });
    const [group] = one.take();
    replaceDomain(one.system, 1, 0, domain);
    if (one.path.countsPending)
      expect(() => freeDomain(one.system, other)).toThrow(/freeDomain: domain = 2: 1 faults pending/);
    one.finish(group);
    freeDomain(one.system, other);
    expectBalanced();
  });

  test('the light flush answers the old domain alone', () => {
    const other = allocDomain(one.system, { handler: HANDLER_NOOP });
    one.report({ grpid: 1 });
    replaceDomain(one.system, 1, 0, other);
    one.report({ grpid: 2 });
    const flushed = one.path.flushDomain(1, domain, RESPONSE_SUCCESS);
    if (flushed === -1) expect(['locked', 'v7']).toContain(generation);
    else {
      expect(flushed).toBe(1);
      expect(one.ops.answers).toEqual([{ device: 1, grpid: 1, code: RESPONSE_SUCCESS }]);
    }
    for (const group of one.take()) one.finish(group);
    expect(one.ops.answers.map((answer) => answer.grpid).sort()).toEqual([1, 2]);
    replaceDomain(one.system, 1, 0, domain);
    freeDomain(one.system, other);
    expectBalanced();
  });
});
