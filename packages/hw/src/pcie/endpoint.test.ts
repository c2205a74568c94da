import { describe, expect, test } from 'vitest';
import { STALL_ABORT, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import type { EndpointQueue } from './endpoint-queue.ts';
import { PRI_STATUS_STOPPED } from './function.layout.ts';
import { PRG_SUCCESS } from './pri-port.layout.ts';
import { EndpointRig, type EndpointRigConfig } from './testing/endpoint-rig.ts';
import { isStopMarker } from './testing/scripted-host.ts';

const READ = 1;
const WRITE = 2;
const LAST = 16;
const PASID_VALID = 32;
function post(queue: EndpointQueue, pages: number, first = 0x1000, perm = READ): void {
  for (let page = 0; page < pages; page++) queue.post(first + page, 0, perm, 7);
  queue.publish();
}
function results(queue: EndpointQueue): number[] {
  return Array.from({ length: queue.posted }, (_, slot) => queue.result(slot));
}

describe('switched off', () => {
  const cases: [string, EndpointRigConfig, (rig: EndpointRig) => void][] = [
    ['PRI', {}, (rig) => rig.pri.disable()],
    ['ATS', {}, (rig) => rig.ats.disable()],
  ];
  test.each(cases)('%s off: no request goes out, accesses are refused', (_, config, off) => {
    const rig = new EndpointRig(config);
    off(rig);
    const queue = rig.endpoint.openQueue(5, 3);
    post(queue, 3);
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual([STALL_ABORT, STALL_ABORT, STALL_ABORT]);
    expect(rig.host.take()).toEqual([]);
    expect(rig.pri.isStopped()).toBe(true);
  });

  test('what is outstanding stays so; what waited is refused; the last answer stops the interface', () => {
    const rig = new EndpointRig({ credits: 2 });
    const queue = rig.endpoint.openQueue(5, 4);
    post(queue, 4);
    rig.pri.disable();
    expect(rig.pri.status() & PRI_STATUS_STOPPED).toBe(0);
    const seen = rig.host.take();
    expect(seen.length).toBe(2);
    rig.host.respond(seen[0].prgi, PRG_SUCCESS, 5);
    rig.endpoint.pump();
    expect(rig.host.take()).toEqual([]);
    expect(() => rig.pri.enable(2)).toThrow(expect.objectContaining({ code: 'EBUSY', field: 'STOPPED' }) as Error);
    rig.host.respond(seen[1].prgi, PRG_SUCCESS, 5);
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual([STALL_RETRY, STALL_RETRY, STALL_ABORT, STALL_ABORT]);
    expect(rig.pri.status() & PRI_STATUS_STOPPED).toBe(PRI_STATUS_STOPPED);
    expect(rig.pri.enable(2)).toBe(2);
  });

  test('reset: accesses are aborted, indices and credits are free, late answers match nothing', () => {
    const rig = new EndpointRig({ credits: 4, groupPages: 2 });
    const queue = rig.endpoint.openQueue(5, 8);
    post(queue, 8);
    const seen = rig.host.take();
    expect(() => rig.pri.reset()).toThrow(expect.objectContaining({ code: 'EBUSY', field: 'ENABLE' }) as Error);
    rig.pri.disable();
    const rings = rig.wakeBell.rings();
    rig.pri.reset();
    expect(rig.wakeBell.rings()).toBe(rings + 1);
    expect(rig.endpoint.hasWork()).toBe(true);
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual(Array(8).fill(STALL_ABORT));
    expect(rig.endpoint.outstanding).toBe(0);
    expect(rig.pri.isStopped()).toBe(true);
    rig.host.answer(seen, PRG_SUCCESS);
    rig.endpoint.pump();
    expect(rig.stat('unexpected')).toBe(2);
    expect(rig.stat('dropped')).toBe(4);
    expect(rig.stat('refused')).toBe(4); // had not been sent
    expect(rig.stat('resets')).toBe(1);
  });

  test('answers that came before the reset still count', () => {
    const rig = new EndpointRig();
    const queue = rig.endpoint.openQueue(5, 2);
    post(queue, 2);
    const seen = rig.host.take();
    rig.pri.disable();
    rig.host.respond(seen[0].prgi, PRG_SUCCESS, 5);
    rig.pri.reset();
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual([STALL_RETRY, STALL_ABORT]);
    expect(rig.stat('unexpected')).toBe(0);
  });

  test('abandoned: accesses are aborted, credits stay taken until the answer', () => {
    const rig = new EndpointRig({ credits: 2 });
    const queue = rig.endpoint.openQueue(5, 4);
    post(queue, 4);
    expect(rig.endpoint.abandon()).toBe(4);
    expect(queue.isDone()).toBe(true);
    expect(rig.endpoint.outstanding).toBe(2);
    queue.reset();
    post(queue, 1);
    const seen = rig.host.take();
    expect(seen.length).toBe(2);
    rig.host.answer(seen, PRG_SUCCESS);
    expect(queue.isDone()).toBe(false);
    rig.host.answer(rig.host.take(), PRG_SUCCESS);
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual([STALL_RETRY]);
    expect(rig.stat('unexpected')).toBe(0);
  });
});

describe('stop markers', () => {
  test('go behind the requests, with PASID, take no credit and wait for no answer', () => {
    const rig = new EndpointRig({ credits: 2 });
    const queue = rig.endpoint.openQueue(5, 3);
    post(queue, 3);
    expect(rig.endpoint.stopMarker(5)).toBe(false); // one request waits for a credit
    expect(rig.endpoint.stopMarker(6)).toBe(true); // another address space
    const first = rig.host.take();
    expect(first.map(isStopMarker)).toEqual([false, false, true]);
    expect(first[2]).toMatchObject({ flags: LAST | PASID_VALID | 64, pasid: 6, page: 0 });
    expect(rig.host.answer(first, PRG_SUCCESS)).toBe(2);
    rig.endpoint.pump();
    expect(rig.endpoint.stopMarker(5)).toBe(true);
    const rest = rig.host.take();
    expect(rest.map(isStopMarker)).toEqual([false, true]);
    rig.host.answer(rest, PRG_SUCCESS);
    expect(queue.isDone()).toBe(true);
    expect(rig.endpoint.outstanding).toBe(0);
    expect(rig.stat('stopMarkers')).toBe(2);
  });

  test('there is none without PASID', () => {
    const { endpoint } = new EndpointRig();
    expect(() => endpoint.stopMarker(-1)).toThrow(expect.objectContaining({ code: 'EINVAL', field: 'pasid' }) as Error);
  });
});

describe('invalidations', () => {
  test('a completion comes behind the requests that were sent before it', () => {
    const rig = new EndpointRig();
    const queue = rig.endpoint.openQueue(5, 3);
    rig.host.invalidate(3, 0, 52);
    rig.host.invalidate(7, 0x1000, 0, 5);
    for (let page = 0; page < 3; page++) queue.post(page, 0, READ, 0);
    queue.publish(); // takes the invalidations first, then sends
    expect(rig.host.take(0)).toEqual([]);
    const seen = rig.host.take();
    expect(seen.length).toBe(3);
    expect(rig.host.completed).toEqual([3, 7]);
    expect(rig.stat('invalidations')).toBe(2);
  });

  test('completions wait for room on the link; none is lost', () => {
    const rig = new EndpointRig({ credits: 1, portCredits: 1, misbehave: { creditsExceeded: true } });
    const queue = rig.endpoint.openQueue(5, 64);
    post(queue, 64); // fills the link: 64 slots
    for (let itag = 0; itag < 32; itag++) rig.host.invalidate(itag, 0, 52);
    rig.endpoint.pump();
    expect(rig.host.completed).toEqual([]);
    expect(rig.host.take(10).length).toBe(10);
    rig.endpoint.pump();
    rig.host.take();
    rig.endpoint.pump();
    rig.host.take();
    expect(rig.host.completed).toEqual(Array.from({ length: 32 }, (_, itag) => itag));
  });
});

test('refuses what is out of range, by name', () => {
  const refusal = (field: string): Error => expect.objectContaining({ code: 'EINVAL', field }) as Error;
  expect(() => new EndpointRig({ groupPages: 513 })).toThrow(refusal('groupPages'));
  expect(() => new EndpointRig({ interleave: 0 })).toThrow(refusal('interleave'));
  expect(() => new EndpointRig({ atcEntries: 3 })).toThrow(refusal('entries'));
  expect(() => new EndpointRig({ misbehave: { storms: true } as object })).toThrow(refusal('switch'));
  expect(() => new EndpointRig({ misbehave: { storm: -1 } })).toThrow(refusal('storm'));
  const { endpoint } = new EndpointRig();
  expect(() => endpoint.openQueue(2 ** 20, 1)).toThrow(refusal('pasid'));
  expect(() => endpoint.openQueue(0, 0)).toThrow(refusal('capacity'));
  const queue = endpoint.openQueue(0, 1);
  expect(queue.post(0, 0, WRITE, 0)).toBe(0);
  expect(queue.post(0, 0, WRITE, 0)).toBe(-1);
  queue.publish();
  queue.publish();
  expect(queue.post(0, 0, WRITE, 0)).toBe(-1);
  expect(() => queue.reset()).toThrow(expect.objectContaining({ code: 'EBUSY', field: 'posted' }) as Error);
});
