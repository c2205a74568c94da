import {
  allocDomain,
  attachDomain,
  detachDomain,
  HANDLER_CONSUMER,
  HANDLER_NOOP,
  HandlerThread,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  replaceDomain,
  WorkSink,
  WorkSource,
} from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import { OneThread, VARIANTS } from '../testing/one-thread.test-help.ts';
import { routeDomain, unrouteDomain } from './index.ts';

describe.each(VARIANTS)('%s (%s)', (...variant) => {
  test('each domain’s groups go to its own fault queue, the rest to the work queue', () => {
    const one = new OneThread(variant, ({ system }) => new WorkSink(system));
    const { system, path, ops } = one;
    const other = allocDomain(system, { handler: HANDLER_CONSUMER });
    const served = allocDomain(system, { handler: HANDLER_NOOP });
    routeDomain(system, one.routes, other, 1);
    attachDomain(system, 1, 5, other);
    attachDomain(system, 2, 5, served);
    const worker = new HandlerThread({ system, path, ops, work: new WorkSource(system, system.self, 1, 16), mms: [] });

    one.report({ device: 1, grpid: 1 });
    one.report({ device: 1, grpid: 2, pasid: 5 });
    one.report({ device: 2, grpid: 3, pasid: 5 });
    expect(worker.step()).toBe(1);
    expect(ops.answers).toEqual([{ device: 2, grpid: 3, code: RESPONSE_SUCCESS }]);
    const [cookie] = one.read();
    const otherCookie = one.otherQueue.next();
    expect([one.otherQueue.fault.grpid, one.otherQueue.fault.pasid]).toEqual([2, 5]);
    expect(() => one.queue.respond(otherCookie, RESPONSE_SUCCESS)).toThrow(`cookie = ${otherCookie}`);
    expect(one.queue.respond(cookie, RESPONSE_SUCCESS)).toBe(true);
    expect(one.otherQueue.respond(otherCookie, RESPONSE_INVALID)).toBe(true);

    // Without its route, a consumer's domain has nobody to ask.
    replaceDomain(system, 2, 0, other);
    unrouteDomain(system, one.routes, other);
    one.report({ device: 2, grpid: 4 });
    expect(worker.step()).toBe(1);
    expect(ops.answers.at(-1)).toEqual({ device: 2, grpid: 4, code: RESPONSE_INVALID });
    for (const device of [1, 2]) detachDomain(system, device, 5);
    one.expectNothingLeft([other, served]);
  });

  test('a domain that does not exist has no route', () => {
    const one = new OneThread(variant);
    expect(() => routeDomain(one.system, one.routes, 5, 1)).toThrow('routeDomain: domain = 5');
    expect(() => routeDomain(one.system, one.routes, 1, 16)).toThrow('routeDomain: number = 16');
    expect(() => unrouteDomain(one.system, one.routes, 0)).toThrow('unrouteDomain: domain = 0');
  });
});
