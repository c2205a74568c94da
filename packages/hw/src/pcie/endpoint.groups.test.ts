import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STALL_ABORT, STALL_PENDING, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import type { EndpointQueue } from './endpoint-queue.ts';
import { PRG_INVALID, PRG_SUCCESS } from './pri-port.layout.ts';
import { EndpointRig } from './testing/endpoint-rig.ts';
import { isLast, type SeenRequest } from './testing/scripted-host.ts';

const READ = 1;
const WRITE = 2;
const EXEC = 4;
const PRIV = 8;
const LAST = 16;
const PASID_VALID = 32;
function post(queue: EndpointQueue, pages: number, first = 0x1000, perm = READ): void {
  for (let page = 0; page < pages; page++) queue.post(first + page, 0, perm, 7);
  queue.publish();
}
function results(queue: EndpointQueue): number[] {
  return Array.from({ length: queue.posted }, (_, slot) => queue.result(slot));
}
/** PRG indices in order of their first request, with the pages of each. */
function groups(seen: readonly SeenRequest[]): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { prgi, page } of seen) found.set(prgi, [...(found.get(prgi) ?? []), page]);
  return found;
}

describe('groups', () => {
  test('a request as it goes out: page, permissions, PASID, index, tick', () => {
    const rig = new EndpointRig();
    const queue = rig.endpoint.openQueue(0xfffff, 4);
    queue.post(-1, 0xfffff, READ | WRITE | EXEC | PRIV, 77);
    queue.publish();
    expect(rig.host.take()).toEqual([
      { port: 0, page: 2 ** 52 - 1, flags: 15 | LAST | PASID_VALID, pasid: 0xfffff, prgi: 0, tick: 77 },
    ]);
  });

  test('without PASID, execute and privileged do not go out', () => {
    const rig = new EndpointRig();
    const queue = rig.endpoint.openQueue(-1, 4);
    queue.post(1, 0, READ | EXEC | PRIV, 77);
    queue.publish();
    expect(rig.host.take()).toMatchObject([{ flags: READ | LAST, pasid: -1 }]);
    rig.host.respond(0, PRG_SUCCESS);
    expect(queue.isDone()).toBe(true);
  });

  test.each([1, 2, 16, 511, 512])('of %i pages: one last page flag, on the last request', (size) => {
    const rig = new EndpointRig({ credits: 512, groupPages: 512 });
    const queue = rig.endpoint.openQueue(5, 512);
    post(queue, size);
    const seen = rig.host.take();
    expect(seen.map(({ page }) => page)).toEqual(Array.from({ length: size }, (_, page) => 0x1000 + page));
    expect(seen.map(isLast)).toEqual(seen.map((_, at) => at === size - 1));
    expect(rig.endpoint.outstanding).toBe(size);
    expect(rig.endpoint.groups).toBe(1);
    expect(queue.isDone()).toBe(false);
    expect(rig.host.answer(seen, PRG_SUCCESS)).toBe(1);
    expect(queue.isDone()).toBe(true);
    expect(results(queue)).toEqual(seen.map(() => STALL_RETRY));
    expect(rig.endpoint.outstanding).toBe(0);
  });

  test('interleaved: their requests take turns, and each group is complete', () => {
    const rig = new EndpointRig({ groupPages: 3, interleave: 4 });
    const queue = rig.endpoint.openQueue(5, 12);
    post(queue, 12);
    const seen = rig.host.take();
    expect(seen.map(({ prgi }) => prgi)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    expect(seen.map(isLast)).toEqual([...Array(8).fill(false), ...Array(4).fill(true)]);
    // Answered in another order, and one of them otherwise: each slot gets its own group's answer.
    rig.host.respond(2, PRG_SUCCESS, 5);
    rig.host.respond(0, PRG_INVALID, 5);
    rig.endpoint.pump();
    const [R, A, P] = [STALL_RETRY, STALL_ABORT, STALL_PENDING];
    expect(results(queue)).toEqual([A, P, R, P, A, P, R, P, A, P, R, P]);
    expect(queue.isDone()).toBe(false);
    rig.host.respond(3, PRG_SUCCESS, 5);
    rig.host.respond(1, PRG_SUCCESS, 5);
    expect(queue.isDone()).toBe(true);
    expect(queue.resumedAt(3)).toBe(5000);
    expect(queue.postedAt(3)).toBe(7);
  });

  test('two queues share credits and indices, and take turns', () => {
    const rig = new EndpointRig({ credits: 4, groupPages: 2 });
    const one = rig.endpoint.openQueue(5, 8);
    const other = rig.endpoint.openQueue(6, 8);
    for (const queue of [one, other]) for (let page = 0; page < 8; page++) queue.post(page, 0, READ, 0);
    one.publish();
    other.publish();
    const order: number[] = [];
    for (let seen = rig.host.take(); seen.length > 0; seen = rig.host.take()) {
      order.push(...seen.map(({ pasid }) => pasid));
      expect(rig.endpoint.outstanding).toBeLessThanOrEqual(4);
      rig.host.answer(seen, PRG_SUCCESS);
      rig.endpoint.pump();
    }
    expect(order).toEqual([5, 5, 5, 5, 5, 5, 6, 6, 5, 5, 6, 6, 6, 6, 6, 6]);
    expect(one.isDone() && other.isDone()).toBe(true);
  });

  test('several endpoints of a function have indices of their own, and divide the allocation', () => {
    const rig = new EndpointRig({ credits: 5, queues: 2, groupPages: 1, interleave: 8 });
    const queues = rig.endpoints.map((endpoint) => endpoint.openQueue(5, 8));
    for (const queue of queues) post(queue, 8);
    const seen = rig.host.take();
    expect(seen.map(({ port, prgi }) => [port, prgi])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 256],
      [1, 257],
    ]);
    expect(rig.host.ports.respond(0x0108, 257, PRG_SUCCESS, 5, 1)).toBe(true);
    expect(rig.host.ports.respond(0x0109, 257, PRG_SUCCESS, 5, 1)).toBe(false);
    rig.host.ports.flush();
    rig.endpoints[1].pump();
    expect(queues[1].result(1)).toBe(STALL_RETRY);
  });

  test('every round comes to its end, for any sizes, order of answers and codes', () => {
    const sizes = fc.record({
      credits: fc.integer({ min: 1, max: 40 }),
      groupPages: fc.integer({ min: 1, max: 50 }),
      interleave: fc.integer({ min: 1, max: 6 }),
      rounds: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
      pasid: fc.constantFrom(-1, 0, 9),
    });
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.nat()), ({ credits, groupPages, interleave, rounds, pasid }, stream) => {
        const rig = new EndpointRig({ credits, groupPages, interleave });
        const queue = rig.endpoint.openQueue(pasid, 60);
        const random = (below: number): number => (stream.next().value as number) % below;
        for (const pages of rounds) {
          post(queue, pages);
          const expected = new Map<number, number>(); // page: result
          let open: SeenRequest[] = [];
          for (let steps = 0; !queue.isDone(); steps++) {
            expect(steps).toBeLessThan(1000);
            open.push(...rig.host.take());
            expect(open.length).toBe(rig.endpoint.outstanding);
            expect(open.length).toBeLessThanOrEqual(credits);
            const due = open.filter(isLast);
            expect(due.length).toBe(rig.endpoint.groups); // what is planned is sent: the link has room
            const { prgi } = due[random(due.length)];
            const code = random(4) === 0 ? PRG_INVALID : PRG_SUCCESS;
            const members = open.filter((request) => request.prgi === prgi);
            expect(members.length).toBeLessThanOrEqual(groupPages);
            for (const { page } of members) expected.set(page, code === PRG_SUCCESS ? STALL_RETRY : STALL_ABORT);
            open = open.filter((request) => request.prgi !== prgi);
            rig.host.respond(prgi, code, pasid);
          }
          expect(results(queue)).toEqual(Array.from({ length: pages }, (_, page) => expected.get(0x1000 + page)));
          expect(expected.size).toBe(pages);
          expect(rig.endpoint.outstanding).toBe(0);
          queue.reset();
        }
        expect(rig.stat('requests')).toBe(rounds.reduce((sum, pages) => sum + pages, 0));
        expect(rig.stat('groups')).toBe(rig.stat('succeeded') + rig.stat('invalid'));
        expect(rig.stat('unexpected')).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('credits', () => {
  test('a group waits until all of it may be outstanding', () => {
    const rig = new EndpointRig({ credits: 8, groupPages: 5, interleave: 4 });
    const queue = rig.endpoint.openQueue(5, 20);
    post(queue, 20);
    const first = rig.host.take();
    expect([...groups(first).values()].map((pages) => pages.length)).toEqual([5]);
    rig.host.answer(first, PRG_SUCCESS);
    rig.endpoint.pump();
    expect(rig.host.take().length).toBe(5);
  });

  test('an allocation smaller than a group makes groups smaller', () => {
    const rig = new EndpointRig({ credits: 3, groupPages: 16 });
    const queue = rig.endpoint.openQueue(5, 8);
    post(queue, 8);
    expect(rig.host.take().map(isLast)).toEqual([false, false, true]);
  });

  test('the allocation counts, not the capacity', () => {
    const rig = new EndpointRig({ off: true, interleave: 64 });
    rig.ats.enable(12);
    expect(rig.pri.enable(2)).toBe(2);
    const queue = rig.endpoint.openQueue(5, 8);
    post(queue, 8);
    expect(rig.host.take().length).toBe(2);
  });

  test('a link without room holds a group back half sent, and goes on with it', () => {
    const rig = new EndpointRig({ credits: 40, groupPages: 40, misbehave: { creditsExceeded: true } });
    const slots = 128; // 2 * 40 + 32, as a power of two
    const queue = rig.endpoint.openQueue(5, 200);
    post(queue, 200);
    const first = rig.host.take();
    expect(first.length).toBe(slots);
    expect(() => rig.endpoint.abandon()).toThrow(
      expect.objectContaining({ code: 'EBUSY', field: 'outstanding' }) as Error,
    );
    expect(rig.endpoint.stopMarker(5)).toBe(false);
    expect(rig.endpoint.hasWork()).toBe(true); // there is room again
    rig.endpoint.pump();
    const rest = rig.host.take();
    expect(first.length + rest.length).toBe(200);
    rig.host.answer([...first, ...rest], PRG_SUCCESS);
    expect(queue.isDone()).toBe(true);
    expect(rig.stat('peakOutstanding')).toBe(200);
  });
});
