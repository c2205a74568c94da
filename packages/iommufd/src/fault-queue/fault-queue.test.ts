import { IommuError } from '@faultline/core/errors';
import {
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
  RESPONSE_FAILURE,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core/iopf';
import { beforeEach, describe, expect, test } from 'vitest';
import { ENTRIES, OneThread, VARIANTS } from '../testing/one-thread.test-help.ts';
import { autoRespond } from './index.ts';

/** Bits of a cookie's slot in a system of 256 requests; its queue's number stands above them. */
const SLOT_BITS = 9;
const NUMBER_BITS = 4;

describe.each(VARIANTS)('%s (%s)', (...variant) => {
  const [generation] = variant;
  let one: OneThread;
  beforeEach(() => {
    one = new OneThread(variant);
  });

  function expectRefused(cookie: number): void {
    const before = one.ops.answers.length;
    let error: unknown;
    try {
      one.queue.respond(cookie, RESPONSE_SUCCESS);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(IommuError);
    expect(error).toMatchObject({ code: 'EINVAL', call: 'FaultQueue.respond', field: 'cookie', value: cookie });
    expect(one.ops.answers).toHaveLength(before);
  }

  test('groups are delivered once, in order, and answered by their cookies', () => {
    for (const grpid of [11, 12, 13]) one.report({ grpid, page: grpid });
    const seen: number[] = [];
    const cookies: number[] = [];
    for (let cookie = one.queue.next(); cookie !== 0; cookie = one.queue.next()) {
      expect(one.queue.fault.cookie).toBe(cookie);
      seen.push(one.queue.fault.grpid);
      cookies.push(cookie);
    }
    expect(seen).toEqual([11, 12, 13]);
    expect(new Set(cookies).size).toBe(3);
    expect(one.ops.answers).toEqual([]);
    expect(one.queue.respond(cookies[2], RESPONSE_INVALID)).toBe(true);
    expect(one.queue.respond(cookies[0], RESPONSE_SUCCESS)).toBe(true);
    expect(one.queue.respond(cookies[1], RESPONSE_SUCCESS)).toBe(true);
    expect(one.ops.answers).toEqual([
      { device: 1, grpid: 13, code: RESPONSE_INVALID },
      { device: 1, grpid: 11, code: RESPONSE_SUCCESS },
      { device: 1, grpid: 12, code: RESPONSE_SUCCESS },
    ]);
    expect(one.queue.next()).toBe(0);
    one.expectNothingLeft();
  });

  test('the view shows the record as it lies, page numbers of 52 bits included', () => {
    one.report({ device: 2, grpid: 0xfffe, page: 2 ** 52 - 2, perm: FAULT_PERM_READ | FAULT_PERM_WRITE });
    const cookie = one.queue.next();
    const { fault } = one.queue;
    expect({ flags: fault.flags, devId: fault.devId, grpid: fault.grpid, perm: fault.perm, page: fault.page }).toEqual({
      flags: FAULT_FLAG_LAST_PAGE,
      devId: 2,
      grpid: 0xfffe,
      perm: FAULT_PERM_READ | FAULT_PERM_WRITE,
      page: 2 ** 52 - 2,
    });
    one.queue.respond(cookie, RESPONSE_SUCCESS);
    expect([fault.cookie, fault.page, fault.count, fault.next()]).toEqual([0, 0, 0, false]); // on nothing now
    one.expectNothingLeft();
  });

  test('set-aside members come with their group, oldest first, under one cookie', () => {
    one.report({ grpid: 3, page: 1, last: false });
    one.report({ grpid: 4, page: 9, last: false });
    one.report({ grpid: 3, page: 2, last: false });
    expect(one.queue.next()).toBe(0);
    one.report({ grpid: 3, page: 3 });
    const cookie = one.queue.next();
    const { fault } = one.queue;
    const pages: number[] = [];
    const flags: number[] = [];
    do {
      expect(fault.cookie).toBe(cookie);
      pages.push(fault.page);
      flags.push(fault.flags & ~FAULT_FLAG_PASID_VALID);
    } while (fault.next());
    expect(pages).toEqual([1, 2, 3]);
    expect(flags).toEqual([0, 0, FAULT_FLAG_LAST_PAGE]);
    expect(fault.count).toBe(3);
    one.queue.respond(cookie, RESPONSE_SUCCESS);
    expect(one.ops.answers).toEqual([{ device: 1, grpid: 3, code: RESPONSE_SUCCESS }]);
    one.expectNothingLeft();
  });

  test('a repeated, stale, foreign or invented cookie answers nothing', () => {
    one.report({ grpid: 1 });
    const first = one.queue.next();
    one.queue.respond(first, RESPONSE_SUCCESS);
    expectRefused(first); // repeated
    one.report({ grpid: 2 });
    const second = one.queue.next();
    expectRefused(first); // stale: the same slot may be in use again
    const foreign = second ^ (5 << SLOT_BITS); // what another queue would call the same slot at the same time
    const invented = [0, -1, 1.5, Number.NaN, 2 ** 31, 2 ** 53, second + 1, second ^ (1 << (SLOT_BITS + NUMBER_BITS))];
    for (const cookie of [foreign, ...invented]) expectRefused(cookie);
    expect(() => one.otherQueue.respond(second, RESPONSE_SUCCESS)).toThrow(`cookie = ${second}`);
    expect(one.queue.respond(second, RESPONSE_SUCCESS)).toBe(true);
    one.expectNothingLeft();
  });

  test('a group that was not delivered has no cookie to guess', () => {
    one.report({ grpid: 1 });
    for (let slot = 0; slot < 8; slot++)
      for (let number = 0; number < 16; number++) expectRefused((number << SLOT_BITS) | slot);
    one.queue.respond(one.queue.next(), RESPONSE_SUCCESS);
    one.expectNothingLeft();
  });

  test('user space answers Success or Invalid, nothing else; a wrong code leaves the cookie good', () => {
    one.report({ grpid: 1 });
    const cookie = one.queue.next();
    for (const code of [RESPONSE_FAILURE, 3, -1, Number.NaN])
      expect(() => one.queue.respond(cookie, code)).toThrow(`FaultQueue.respond: code = ${code}: must be`);
    expect(one.ops.answers).toEqual([]);
    expect(one.queue.respond(cookie, RESPONSE_INVALID)).toBe(true);
    one.expectNothingLeft();
  });

  test('a full queue has the report answer Failure; what is in it stays, and the path goes on', () => {
    for (let grpid = 1; grpid <= ENTRIES; grpid++) one.report({ grpid });
    expect(one.ops.answers).toEqual([]);
    one.report({ grpid: 99 });
    expect(one.ops.answers).toEqual([{ device: 1, grpid: 99, code: RESPONSE_FAILURE }]);
    const cookies = one.read();
    expect(cookies).toHaveLength(ENTRIES);
    for (const cookie of cookies) one.queue.respond(cookie, RESPONSE_SUCCESS);
    one.report({ grpid: 100 });
    one.queue.respond(one.queue.next(), RESPONSE_SUCCESS);
    expect(one.ops.answers.at(-1)).toEqual({ device: 1, grpid: 100, code: RESPONSE_SUCCESS });
    one.expectNothingLeft();
  });

  test('every group of the slab may be with readers at once', () => {
    const cookies: number[] = [];
    for (let grpid = 1; one.ops.answers.length === 0; grpid++) {
      one.report({ grpid });
      cookies.push(...one.read());
    }
    expect(one.ops.answers[0].code).toBe(RESPONSE_FAILURE); // the slab, not the cookies
    expect(new Set(cookies).size).toBe(cookies.length);
    for (const cookie of cookies) expect(one.queue.respond(cookie, RESPONSE_SUCCESS)).toBe(true);
    one.expectNothingLeft();
  });

  test('PRI-off makes void what readers hold; their late answers are no-ops that say so', () => {
    for (const grpid of [1, 2]) one.report({ grpid });
    const cookies = one.read();
    const voided = one.path.respondPending(1, RESPONSE_INVALID);
    if (voided === -1) {
      expect(generation).toBe('locked'); // has no way to: it refuses to let the device go
      expect(one.path.removeDevice(1)).toBe('busy');
    } else expect(voided).toBe(2);
    for (const cookie of cookies) expect(one.queue.respond(cookie, RESPONSE_SUCCESS)).toBe(voided === -1);
    for (const cookie of cookies) expectRefused(cookie);
    expect(one.ops.answers.map((answer) => answer.grpid).sort()).toEqual([1, 2]);
    one.expectNothingLeft();
  });

  test('automatic answers end what waits and what readers hold, of one device; the others keep their order', () => {
    const { system, path, ops, queue, bases, domain } = one;
    one.report({ device: 1, grpid: 1 });
    one.report({ device: 2, grpid: 2 });
    const [held, kept] = one.read();
    one.report({ device: 2, grpid: 3 });
    one.report({ device: 1, grpid: 4, page: 1, last: false });
    one.report({ device: 1, grpid: 4 });
    one.report({ device: 2, grpid: 5 });
    expect(autoRespond({ system, path, ops }, bases[0], { device: 1, domain })).toBe(2);
    expect(ops.answers).toEqual([
      { device: 1, grpid: 4, code: RESPONSE_INVALID },
      { device: 1, grpid: 1, code: RESPONSE_INVALID },
    ]);
    expectRefused(held);
    expect(path.removeDevice(1)).not.toBe('busy'); // also where nothing else could have answered
    expect(queue.respond(kept, RESPONSE_SUCCESS)).toBe(true);
    for (const grpid of [3, 5]) {
      const cookie = queue.next();
      expect(queue.fault.grpid).toBe(grpid);
      queue.respond(cookie, RESPONSE_SUCCESS);
    }
    expect(queue.next()).toBe(0);
    one.expectNothingLeft();
  });

  test('automatic answers after PRI-off answer nobody twice; with device 0 it ends every device’s', () => {
    const { system, path, ops, bases } = one;
    for (const device of [1, 2]) one.report({ device, grpid: device });
    one.read();
    path.respondPending(1, RESPONSE_INVALID);
    expect(autoRespond({ system, path, ops }, bases[0], { device: 0, domain: 0 })).toBe(2);
    expect(ops.answers.map((answer) => answer.grpid).sort()).toEqual([1, 2]);
    one.expectNothingLeft();
  });
});
