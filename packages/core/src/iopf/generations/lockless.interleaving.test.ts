// The two who may answer a group, in the one order that a look and a claim apart would get wrong. The global Atomics is replaced,
// so that the holder runs between what PRI-off sees and what it then does about it.
import { afterEach, expect, test } from 'vitest';
import { attachDomain } from '../attach.ts';
import { allocDomain } from '../domain.ts';
import { HANDLER_NOOP } from '../layout.ts';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '../record.ts';
import { OneThread } from '../testing/bench-system.ts';

const { compareExchange } = Atomics;
afterEach(() => {
  Atomics.compareExchange = compareExchange;
});

/** Runs `between` before the next compare-exchange, whoever makes it. */
function beforeNextClaim(between: () => void): void {
  Atomics.compareExchange = ((words: Int32Array, at: number, expected: number, value: number): number => {
    Atomics.compareExchange = compareExchange;
    between();
    return compareExchange(words, at, expected, value);
  }) as typeof Atomics.compareExchange;
}

/** Runs `after` once the next compare-exchange has been made, before whoever made it goes on. */
function afterNextClaim(after: () => void): void {
  Atomics.compareExchange = ((words: Int32Array, at: number, expected: number, value: number): number => {
    Atomics.compareExchange = compareExchange;
    const found = compareExchange(words, at, expected, value);
    after();
    return found;
  }) as typeof Atomics.compareExchange;
}

function onePending(): { one: OneThread; group: number } {
  const one = new OneThread('lockless', { sharing: 'split' });
  const domain = allocDomain(one.system, { handler: HANDLER_NOOP });
  one.path.addDevice(1);
  attachDomain(one.system, 1, 0, domain);
  one.report({ grpid: 7 });
  const [group] = one.take();
  return { one, group };
}

test("an answer between PRI-off's look and its claim is the only one", () => {
  const { one, group } = onePending();
  let holder = false;
  beforeNextClaim(() => {
    holder = one.path.respondGroup(group, RESPONSE_SUCCESS);
  });
  expect(one.path.respondPending(1, RESPONSE_INVALID)).toBe(0);
  expect(holder).toBe(true);
  expect(one.ops.answers).toEqual([{ device: 1, grpid: 7, code: RESPONSE_SUCCESS }]);
});

test("PRI-off between the holder's look and its claim is the only one", () => {
  const { one, group } = onePending();
  one.path.groupDomain(group);
  let voided = 0;
  beforeNextClaim(() => {
    voided = one.path.respondPending(1, RESPONSE_INVALID);
  });
  expect(one.path.respondGroup(group, RESPONSE_SUCCESS)).toBe(false);
  expect(voided).toBe(1);
  expect(one.ops.answers).toEqual([{ device: 1, grpid: 7, code: RESPONSE_INVALID }]);
});

test('PRI-off answers for the group it claimed, though its holder frees it and the slot is used again meanwhile', () => {
  const { one, group } = onePending();
  let reused = 0;
  one.path.addDevice(2);
  attachDomain(one.system, 2, 0, 1);
  afterNextClaim(() => {
    expect(one.path.respondGroup(group, RESPONSE_SUCCESS)).toBe(false);
    one.path.freeGroup(group);
    one.report({ device: 2, grpid: 9 });
    [reused] = one.take();
  });
  expect(one.path.respondPending(1, RESPONSE_INVALID)).toBe(1);
  expect(reused).toBe(group);
  expect(one.ops.answers).toEqual([{ device: 1, grpid: 7, code: RESPONSE_INVALID }]);
});

test('of two that install a fault_param, the loser frees its own before anyone saw it', () => {
  const one = new OneThread('lockless', { sharing: 'split' });
  let other = false;
  beforeNextClaim(() => {
    other = one.path.addDevice(1);
  });
  // The first compare-exchange of addDevice is the slab's; the install comes after it, and finds the other's parameter.
  expect(one.path.addDevice(1)).toBe(!other);
  expect(one.system.params.live()).toBe(1);
});
