import { describe, expect, test } from 'vitest';
import { STALL_ABORT, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import type { EndpointQueue } from './endpoint-queue.ts';
import { PRI_STATUS_RF, PRI_STATUS_UPRGI } from './function.layout.ts';
import { PRG_FAILURE, PRG_SUCCESS } from './pri-port.layout.ts';
import { EndpointRig } from './testing/endpoint-rig.ts';

const READ = 1;

function post(queue: EndpointQueue, pages: number, first = 0x1000, perm = READ): void {
  for (let page = 0; page < pages; page++) queue.post(first + page, 0, perm, 7);
  queue.publish();
}
function results(queue: EndpointQueue): number[] {
  return Array.from({ length: queue.posted }, (_, slot) => queue.result(slot));
}

describe('answers', () => {
  test('Success sends the access back to be translated anew; the page may be requested again', () => {
    const rig = new EndpointRig();
    const queue = rig.endpoint.openQueue(5, 1);
    for (let round = 0; round < 600; round++) {
      post(queue, 1); // an automatic Success maps nothing: the same page, with an index of its own
      const seen = rig.host.take();
      expect(seen).toMatchObject([{ page: 0x1000, prgi: round % 512 }]);
      rig.host.answer(seen, PRG_SUCCESS);
      expect(queue.isDone()).toBe(true);
      expect(queue.result(0)).toBe(STALL_RETRY);
      queue.reset();
    }
    expect(rig.stat('succeeded')).toBe(600);
    expect(rig.pri.status() & (PRI_STATUS_RF | PRI_STATUS_UPRGI)).toBe(0);
  });

  test.each([PRG_FAILURE, 2, 14])(
    'code %i disables the interface: all is aborted, RF is set, the rest is ignored',
    (code) => {
      const rig = new EndpointRig({ credits: 3 });
      const queue = rig.endpoint.openQueue(5, 8);
      post(queue, 8);
      const seen = rig.host.take();
      expect(seen.length).toBe(3);
      rig.host.respond(seen[1].prgi, code, 5);
      rig.host.respond(seen[0].prgi, PRG_SUCCESS, 5);
      expect(queue.isDone()).toBe(true);
      expect(results(queue)).toEqual(Array(8).fill(STALL_ABORT));
      expect(rig.pri.status() & PRI_STATUS_RF).toBe(PRI_STATUS_RF);
      expect(rig.stat('failures')).toBe(1);
      expect(rig.stat('ignored')).toBe(1);
      expect(rig.pri.isStopped()).toBe(true);
      queue.reset();
      post(queue, 1);
      expect(results(queue)).toEqual([STALL_ABORT]); // refused
      expect(rig.stat('refused')).toBe(6); // five had waited for credits
      expect(rig.stat('dropped')).toBe(3);
      // Enabled anew, it goes on.
      queue.reset();
      rig.pri.disable();
      rig.pri.reset();
      rig.pri.enable(3);
      rig.pri.clearStatus(PRI_STATUS_RF);
      post(queue, 1);
      expect(rig.host.answer(rig.host.take(), PRG_SUCCESS)).toBe(1);
      expect(queue.isDone()).toBe(true);
      expect(results(queue)).toEqual([STALL_RETRY]);
      expect(rig.pri.status()).toBe(1 << 15);
    },
  );

  test('a failure reaches the other endpoints of the function', () => {
    const rig = new EndpointRig({ queues: 2 });
    const queues = rig.endpoints.map((endpoint) => endpoint.openQueue(5, 2));
    for (const queue of queues) post(queue, 2);
    rig.host.respond(0, PRG_FAILURE, 5);
    expect(queues[0].isDone()).toBe(true);
    expect(rig.pri.isStopped()).toBe(false);
    expect(queues[1].isDone()).toBe(true);
    expect(results(queues[1])).toEqual([STALL_ABORT, STALL_ABORT]);
    expect(rig.pri.isStopped()).toBe(true);
  });

  test('an answer to nothing sets UPRGI and does nothing else', () => {
    const rig = new EndpointRig({ groupPages: 2 });
    const queue = rig.endpoint.openQueue(5, 2);
    post(queue, 2);
    rig.host.respond(9, PRG_SUCCESS, 5);
    expect(queue.isDone()).toBe(false);
    expect(rig.pri.status() & PRI_STATUS_UPRGI).toBe(PRI_STATUS_UPRGI);
    rig.pri.clearStatus(PRI_STATUS_UPRGI);
    expect(rig.pri.status() & PRI_STATUS_UPRGI).toBe(0);
    expect(rig.endpoint.outstanding).toBe(2);
    expect(rig.stat('unexpected')).toBe(1);
  });

  test.each([
    ['none', 5, -1, true, false],
    ['another', 5, 6, true, false],
    ['the same', 5, 5, true, true],
    ['one that was not asked with', -1, 5, true, false],
    ['none, where none is required', 5, -1, false, true],
  ] as const)('PASID in the answer: %s', (_, asked, answered, pasidRequired, matches) => {
    const rig = new EndpointRig({ function: { pasidRequired } });
    const queue = rig.endpoint.openQueue(asked, 1);
    post(queue, 1);
    rig.host.respond(0, PRG_SUCCESS, answered);
    expect(queue.isDone()).toBe(matches);
    expect(rig.stat('wrongPasid')).toBe(matches ? 0 : 1);
    expect((rig.pri.status() & PRI_STATUS_UPRGI) !== 0).toBe(!matches);
  });
});

test('a host that answers every request of a group Failure, as Linux does for AMD: the first ends all, the others are ignored', () => {
  const rig = new EndpointRig({ groupPages: 3 });
  const queue = rig.endpoint.openQueue(5, 6);
  post(queue, 6);
  for (const { prgi } of rig.host.take()) rig.host.respond(prgi, PRG_FAILURE, 5);
  expect(queue.isDone()).toBe(true);
  expect(results(queue)).toEqual(Array(6).fill(STALL_ABORT));
  expect([rig.stat('failures'), rig.stat('ignored'), rig.stat('dropped')]).toEqual([1, 5, 6]);
  expect([rig.pri.isStopped(), rig.stat('unexpected')]).toEqual([true, 0]);
});
