// What each switch puts on the wire, and what the endpoint makes of the answers. What hosts make of it: testing/pri-host-contract.ts.
import { expect, test } from 'vitest';
import { STALL_ABORT, STALL_PENDING, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import type { EndpointQueue } from './endpoint-queue.ts';
import { PRG_FAILURE, PRG_INVALID, PRG_SUCCESS } from './pri-port.layout.ts';
import { EndpointRig, type EndpointRigConfig } from './testing/endpoint-rig.ts';
import { isLast } from './testing/scripted-host.ts';

function start(config: EndpointRigConfig, pages: number, pasid = 5): { rig: EndpointRig; queue: EndpointQueue } {
  const rig = new EndpointRig(config);
  const queue = rig.endpoint.openQueue(pasid, 512);
  for (let page = 0; page < pages; page++) queue.post(page, 0, 1, 0);
  queue.publish();
  return { rig, queue };
}
function results(queue: EndpointQueue): number[] {
  return Array.from({ length: queue.posted }, (_, slot) => queue.result(slot));
}

test('creditsExceeded: more is outstanding than allocated, as far as the link goes', () => {
  const { rig, queue } = start({ credits: 4, interleave: 64, misbehave: { creditsExceeded: true } }, 20);
  const seen = rig.host.take();
  expect(seen.length).toBe(20);
  expect(rig.endpoint.outstanding).toBe(20);
  rig.host.answer(seen, PRG_SUCCESS);
  expect(queue.isDone()).toBe(true);
});

test('groupIndexReused: two groups share an index; answers go to the older one first', () => {
  const { rig, queue } = start({ groupPages: 2, misbehave: { groupIndexReused: 2 } }, 8);
  const seen = rig.host.take();
  expect(seen.map(({ prgi }) => prgi)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  expect(rig.stat('reused')).toBe(2);
  expect(rig.endpoint.groups).toBe(4);
  rig.host.respond(1, PRG_INVALID, 5);
  rig.endpoint.pump();
  expect(results(queue)).toEqual([0, 0, 0, 0, STALL_ABORT, STALL_ABORT, 0, 0]);
  for (const prgi of [0, 1, 0]) rig.host.respond(prgi, PRG_SUCCESS, 5);
  expect(queue.isDone()).toBe(true);
  expect(rig.endpoint.groups).toBe(0);
  rig.host.respond(0, PRG_SUCCESS, 5);
  rig.endpoint.pump();
  expect(rig.stat('unexpected')).toBe(1);
});

test('groupIndexReused behind a group that never ends: the second one is answered, the first one keeps the index', () => {
  const { rig, queue } = start({ misbehave: { lastPageMissing: 3, groupIndexReused: 2 } }, 4);
  const seen = rig.host.take();
  expect(seen.map(({ prgi }) => prgi)).toEqual([0, 0, 1, 1]);
  expect(seen.map(isLast)).toEqual([true, true, false, true]);
  rig.host.answer(seen, PRG_SUCCESS);
  expect(queue.isDone()).toBe(false);
  expect(results(queue)).toEqual([STALL_RETRY, STALL_RETRY, STALL_PENDING, STALL_RETRY]);
  expect(rig.endpoint.groups).toBe(1);
  rig.host.respond(1, PRG_SUCCESS, 5);
  rig.endpoint.pump();
  expect(rig.stat('early')).toBe(1);
});

test('lastPageMissing: no flag, so an answer comes too early whenever it comes; only a reset ends it', () => {
  const { rig, queue } = start({ groupPages: 2, misbehave: { lastPageMissing: 2 } }, 4);
  const seen = rig.host.take();
  expect(seen.map(isLast)).toEqual([false, true, false, false]);
  rig.host.answer(seen, PRG_SUCCESS);
  rig.host.respond(seen[3].prgi, PRG_SUCCESS, 5);
  expect(queue.isDone()).toBe(false);
  expect(results(queue)).toEqual([STALL_RETRY, STALL_RETRY, STALL_PENDING, STALL_PENDING]);
  expect(rig.stat('early')).toBe(1);
  rig.pri.disable();
  expect(rig.pri.isStopped()).toBe(false);
  rig.pri.reset();
  expect(queue.isDone()).toBe(true);
  expect(rig.pri.isStopped()).toBe(true);
});

test('lastPageDoubled: the last request goes out twice; the second answer is unexpected', () => {
  const { rig, queue } = start({ groupPages: 3, misbehave: { lastPageDoubled: true } }, 3);
  const seen = rig.host.take();
  expect(seen.map(({ page }) => page)).toEqual([0, 1, 2, 2]);
  expect(seen.map(isLast)).toEqual([false, false, true, true]);
  expect(rig.endpoint.outstanding).toBe(3);
  rig.host.answer(seen, PRG_SUCCESS);
  expect(queue.isDone()).toBe(true);
  expect([rig.stat('unexpected'), rig.stat('doubled')]).toEqual([1, 1]);
});

test.each([
  [5, [4, 4, 5, 5, 5, 5]],
  [-1, [1, 1, -1, -1, -1, -1]],
])('pasidChangedInGroup, from PASID %i: each first request has another one', (pasid, expected) => {
  const config = { groupPages: 3, interleave: 2, misbehave: { pasidChangedInGroup: true } };
  const { rig, queue } = start(config, 6, pasid);
  const seen = rig.host.take();
  expect(seen.map((request) => request.pasid)).toEqual(expected);
  rig.host.answer(seen, PRG_SUCCESS);
  expect(queue.isDone()).toBe(true);
});

test('a group of one page has no PASID to change', () => {
  const { rig } = start({ misbehave: { pasidChangedInGroup: true } }, 2);
  expect(rig.host.take().map(({ pasid }) => pasid)).toEqual([5, 5]);
});

test('responseLost: every n-th answer never arrives', () => {
  const { rig, queue } = start({ misbehave: { responseLost: 3 } }, 6);
  rig.host.answer(rig.host.take(), PRG_SUCCESS);
  expect(queue.isDone()).toBe(false);
  expect(results(queue).filter((result) => result === STALL_PENDING).length).toBe(2);
  expect([rig.stat('lost'), rig.endpoint.outstanding]).toEqual([2, 2]);
});

test('responseDuplicated: the second one is unexpected and does nothing', () => {
  const { rig, queue } = start({ misbehave: { responseDuplicated: true } }, 2);
  rig.host.answer(rig.host.take(), PRG_SUCCESS);
  expect(queue.isDone()).toBe(true);
  expect([rig.stat('duplicated'), rig.stat('unexpected'), rig.stat('succeeded')]).toEqual([2, 2, 2]);
});

test.each([PRG_INVALID, PRG_FAILURE])('requestsAfterPriOff: requests go out; answer %i ends them each time', (code) => {
  const rig = new EndpointRig({ off: true, misbehave: { requestsAfterPriOff: true } });
  const queue = rig.endpoint.openQueue(5, 4);
  for (let round = 0; round < 3; round++) {
    for (let page = 0; page < 4; page++) queue.post(page, 0, 1, 0);
    queue.publish();
    expect(rig.pri.isStopped()).toBe(false);
    const seen = rig.host.take();
    expect(seen.length).toBe(4);
    rig.host.answer(seen, code);
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual(Array(4).fill(STALL_ABORT));
    expect(rig.pri.isStopped()).toBe(true);
    queue.reset();
  }
});

test('storm: requests as fast as they are taken, half of the indices kept free; each is answered', () => {
  const { rig, queue } = start({ credits: 4, misbehave: { storm: true } }, 0);
  rig.endpoint.setStormPage(2 ** 32 - 2);
  let answered = 0;
  let most = 0;
  for (let turn = 0; turn < 40; turn++) {
    rig.endpoint.pump();
    most = Math.max(most, rig.endpoint.outstanding);
    if (turn % 8 === 7)
      for (let seen = rig.host.take(); seen.length > 0; seen = rig.host.take())
        answered += rig.host.answer(seen, PRG_SUCCESS);
  }
  expect(most).toBeGreaterThan(4);
  expect(most).toBeLessThanOrEqual(256);
  rig.endpoint.misbehave({});
  answered += rig.host.answer(rig.host.take(), PRG_SUCCESS);
  rig.endpoint.pump();
  expect(rig.stat('stormed')).toBe(answered);
  expect(rig.endpoint.outstanding).toBe(0);
  expect(queue.isDone()).toBe(true);
});
