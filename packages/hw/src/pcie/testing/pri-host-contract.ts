import { describe, expect, test } from 'vitest';
import { STALL_ABORT, STALL_RETRY } from '../../smmu-v3/stall-port.ts';
import { PRI_STATUS_RF, PRI_STATUS_STOPPED } from '../function.layout.ts';
import { MISBEHAVIOURS } from '../misbehaviour.ts';
import { Bench, type OpenBench, PASID } from './host-bench.ts';
import { MISBEHAVIOUR_OUTCOMES } from './misbehaviour-outcomes.ts';
import type { MakePriHost } from './pri-host.ts';

/** More requests at once than any family's smallest queue holds, in groups of four, four at a time. */
const FLOOD = { credits: 512, entries: 128 };
const FLOOD_SHAPE = { groupPages: 4, interleave: 4 };
const FLOOD_GROUPS = 128;
/** Groups of a flood whose last request finds room, for what queues can hold: 128 as asked for, or 255 where that is the least. */
const FLOOD_TAKEN = [128, 255].map((entries) => countOf(512, (i) => i % 16 >= 12 && i < entries));

function countOf(length: number, holds: (i: number) => boolean): number {
  return Array.from({ length }, (_, i) => i).filter(holds).length;
}

/** What every IOMMU family owes a function that behaves, and one that does not: each group answered once, by whom the family says; the host
 * stays up; nothing is left outstanding. `makeHost` makes a fresh host for each test.
 * @see hardware reference, 1.5, 2.2, 4 and 5 */
export function priHostContract(makeHost: MakePriHost): void {
  const open: OpenBench = (options = {}, shape, pasid) => new Bench(makeHost, options, shape, pasid);
  describe('a function that behaves', () => behaves(open));
  describe('a queue that is full', () => floods(open));
  describe('a function that misbehaves', () => misbehaves(open));
}

function behaves(open: OpenBench): void {
  test.each([
    [1, 1, 48],
    [3, 1, 48],
    [16, 3, 48],
    [48, 1, 48],
    [5, 7, 200],
  ])('groups of %i pages, %i at a time: answered once each', (groupPages, interleave, pages) => {
    const bench = open({}, { groupPages, interleave });
    bench.run(pages);
    bench.expectAllAnswered();
    bench.expectResults(STALL_RETRY);
    const groups = Math.ceil(pages / groupPages);
    bench.expectCounts({ requests: pages, groups, handled: groups, unexpected: 0, invalid: 0, failures: 0 });
    expect(bench.stat('peakOutstanding')).toBeLessThanOrEqual(64);
    expect(bench.errors).toBe(0);
    bench.expectClean();
  });

  test('a group of 512 pages', () => {
    const bench = open({ credits: 512, entries: 1024 }, { groupPages: 512 });
    bench.run(512);
    bench.expectCounts({ requests: 512, groups: 1, handled: 1, succeeded: 1, peakOutstanding: 512 });
    bench.expectResults(STALL_RETRY);
    bench.expectClean();
  });

  test('without PASID', () => {
    const bench = open({}, { groupPages: 4 }, -1);
    bench.run(16);
    expect(bench.host.pending()).toBe(0);
    if (bench.host.traits.takesPlain) {
      bench.expectCounts({ groups: 4, handled: 4, succeeded: 4 });
      bench.expectClean();
    } else {
      bench.expectResults(STALL_ABORT); // rejected, by an answer: Failure, which ends all
      bench.expectCounts({ groups: 4, handled: 0, failures: 1, ignored: 3, dropped: 16 });
      expect(bench.errors).toBe(PRI_STATUS_RF);
      bench.recover();
      bench.expectHostIdle();
    }
  });

  test('a stop marker is taken and not answered', () => {
    const bench = open();
    bench.post(8);
    expect(bench.endpoint.stopMarker(PASID)).toBe(true);
    bench.settle();
    bench.expectCounts({ groups: 8, handled: 8, succeeded: 8, stopMarkers: 1, unexpected: 0 });
    bench.expectClean();
  });

  test('PRI off with groups outstanding: all are answered, and the function stops', () => {
    const bench = open({}, { groupPages: 4 });
    bench.post(32);
    bench.off();
    bench.settle();
    expect(bench.queue.isDone()).toBe(true);
    expect(bench.stat('succeeded') + bench.stat('invalid')).toBe(8);
    bench.expectCounts({ failures: 0, unexpected: 0, dropped: 0, resets: 0 });
    expect(bench.pri.status() & PRI_STATUS_STOPPED).toBe(PRI_STATUS_STOPPED);
    bench.expectHostIdle();
    bench.on();
    bench.expectClean();
  });
}

function floods(open: OpenBench): void {
  test('automatic answers, and what they answered is asked again', () => {
    const bench = open(FLOOD, FLOOD_SHAPE);
    bench.post(512);
    bench.host.runHardware();
    bench.settle();
    bench.expectAllAnsweredOrReset();
    bench.expectCounts({ groups: FLOOD_GROUPS, unexpected: 0, invalid: 0, failures: 0 });
    expect(FLOOD_TAKEN).toContain(bench.host.handled());
    const handled = bench.host.handled();
    if (bench.host.traits.onOverflow === 'success') bench.expectResults(STALL_RETRY);
    else bench.expectCounts({ succeeded: handled, dropped: 512 - 4 * handled });
    for (let round = 0; round < 8; round++) bench.run(64); // the second time there is room
    bench.expectCounts({ handled: handled + FLOOD_GROUPS, groups: 2 * FLOOD_GROUPS });
    bench.expectClean();
  });

  test('a stop marker is lost', () => {
    const bench = open(FLOOD, FLOOD_SHAPE);
    bench.post(512);
    expect(bench.endpoint.stopMarker(PASID)).toBe(true);
    bench.host.runHardware();
    bench.settle();
    bench.expectAllAnsweredOrReset();
    bench.expectCounts({ stopMarkers: 1, unexpected: 0 });
    bench.expectClean();
  });

  test('PRI off right then: groups whose last request is gone are discarded, and the function stops or is reset', () => {
    const bench = open(FLOOD, FLOOD_SHAPE);
    bench.post(512);
    bench.host.runHardware();
    bench.off();
    bench.settle();
    bench.expectHostIdle();
    const answered = bench.stat('succeeded') + bench.stat('invalid');
    bench.expectCounts({ failures: 0, unexpected: 0 });
    if (bench.host.traits.onOverflow === 'success') {
      expect([answered, bench.queue.isDone()]).toEqual([FLOOD_GROUPS, true]);
      expect(bench.pri.status() & PRI_STATUS_STOPPED).toBe(PRI_STATUS_STOPPED);
    } else expect([FLOOD_TAKEN.includes(answered), bench.queue.isDone()]).toEqual([true, false]);
    bench.on();
    bench.settle();
    bench.expectClean();
  });
}

function misbehaves(open: OpenBench): void {
  test.each(MISBEHAVIOURS)('%s', (name) => MISBEHAVIOUR_OUTCOMES[name](open));

  test('all at once, on and off: the host stays up, and a reset brings the function back', () => {
    const bench = open({ credits: 32, entries: 16 }, { groupPages: 3, interleave: 3 });
    for (let turn = 0; turn < 60; turn++) {
      const which = (turn * 7) % MISBEHAVIOURS.length;
      bench.misbehave({ [MISBEHAVIOURS[which]]: 2, [MISBEHAVIOURS[(which + 1 + (turn % 8)) % 9]]: 3 });
      if (bench.queue.isDone()) bench.post(30);
      bench.host.runHardware();
      if (turn % 3 === 0) bench.settle();
      bench.host.verify();
      if (turn % 10 === 9) bench.misbehave({}).recover();
    }
    bench.misbehave({}).recover();
    bench.expectClean();
  });
}
