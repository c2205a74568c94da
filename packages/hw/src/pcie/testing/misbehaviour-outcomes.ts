import { expect } from 'vitest';
import { STALL_ABORT, STALL_PENDING, STALL_RETRY } from '../../smmu-v3/stall-port.ts';
import { PRI_STATUS_RF, PRI_STATUS_STOPPED, PRI_STATUS_UPRGI } from '../function.layout.ts';
import type { Misbehaviour } from '../misbehaviour.ts';
import type { OpenBench } from './host-bench.ts';

/** Groups of four pages, sixteen pages a round, unless said otherwise. */
const FOURS = { groupPages: 4 };

/** What comes of each switch, to the function and to its host: by how many, and with which codes. */
export const MISBEHAVIOUR_OUTCOMES: { readonly [name in Misbehaviour]: (open: OpenBench) => void } = {
  /** Served all the same: no host counts credits, its queue is what is full. */
  creditsExceeded: (open) => {
    const bench = open({ credits: 8, entries: 8 }, { groupPages: 4, interleave: 4 }).misbehave({
      creditsExceeded: true,
    });
    bench.post(24); // no more than the link takes at once
    bench.expectCounts({ peakOutstanding: 24, requests: 24, groups: 6 });
    bench.host.runHardware();
    bench.settle();
    bench.expectAllAnsweredOrReset();
    bench.expectCounts({ invalid: 0, failures: 0, unexpected: 0 });
    bench.expectClean();
  },

  /** A last page flag is a group, whatever its index: one answer each. */
  groupIndexReused: (open) => {
    const bench = open({}, { groupPages: 3, interleave: 4 }).misbehave({ groupIndexReused: 2 });
    bench.run(48);
    bench.expectCounts({ reused: 8, groups: 16, handled: 16, succeeded: 16, unexpected: 0 });
    bench.expectResults(STALL_RETRY);
    bench.expectClean();
  },

  /** A request that is not the last is set aside, and never answered alone; PRI-off discards it, and no later group is joined by it. */
  lastPageMissing: (open) => {
    const bench = open({}, FOURS).misbehave({ lastPageMissing: 2 });
    bench.run(16);
    bench.expectCounts({ handled: 2, succeeded: 2, unexpected: 0 });
    expect([bench.host.pending(), bench.host.partials()]).toEqual([0, 8]);
    expect([bench.countOf(STALL_RETRY), bench.countOf(STALL_PENDING)]).toEqual([8, 8]);
    bench.recover();
    bench.expectCounts({ resets: 1, dropped: 8, invalid: 0, failures: 0 });
    expect(bench.countOf(STALL_ABORT)).toBe(8);
    bench.expectClean();
  },

  /** The second flag is a group of one page to the host. */
  lastPageDoubled: (open) => {
    const bench = open({}, FOURS).misbehave({ lastPageDoubled: 2 });
    bench.run(16);
    bench.expectCounts({ doubled: 2, requests: 18, groups: 4, handled: 6, succeeded: 4, unexpected: 2, wrongPasid: 0 });
    expect(bench.errors).toBe(PRI_STATUS_UPRGI);
    bench.expectResults(STALL_RETRY);
    bench.expectClean();
  },

  /** Answered with the PASID of the last request. */
  pasidChangedInGroup: (open) => {
    const bench = open({}, FOURS).misbehave({ pasidChangedInGroup: 2 });
    bench.run(16);
    bench.expectCounts({ groups: 4, handled: 4, succeeded: 4, wrongPasid: 0, unexpected: 0 });
    bench.expectResults(STALL_RETRY);
    bench.expectClean();
  },

  /** The host has done its part; the function never stops, and a reset ends what it waits for. */
  responseLost: (open) => {
    const bench = open({}, FOURS).misbehave({ responseLost: 2 });
    bench.run(16);
    bench.expectCounts({ lost: 2, handled: 4, succeeded: 2 });
    bench.expectHostIdle();
    expect([bench.countOf(STALL_RETRY), bench.countOf(STALL_PENDING)]).toEqual([8, 8]);
    bench.misbehave({}).off();
    expect(bench.pri.status() & PRI_STATUS_STOPPED).toBe(0);
    bench.on();
    bench.settle();
    bench.expectCounts({ resets: 1, dropped: 8, unexpected: 0, handled: 4 });
    expect([bench.countOf(STALL_RETRY), bench.countOf(STALL_ABORT)]).toEqual([8, 8]);
    bench.expectClean();
  },

  /** The second delivery matches nothing, and has no side effect. */
  responseDuplicated: (open) => {
    const bench = open({}, FOURS).misbehave({ responseDuplicated: 2 });
    bench.run(16);
    bench.expectCounts({ duplicated: 2, handled: 4, succeeded: 4, unexpected: 2 });
    expect(bench.errors).toBe(PRI_STATUS_UPRGI);
    bench.expectResults(STALL_RETRY);
    bench.expectClean();
  },

  /** Nobody serves it: each group gets the family's code, or nothing. */
  requestsAfterPriOff: (open) => {
    const bench = open({}, FOURS);
    bench.off();
    bench.misbehave({ requestsAfterPriOff: true });
    bench.run(16);
    const { onOff } = bench.host.traits;
    const each = (code: string): number => (onOff === code ? 4 : 0);
    bench.expectCounts({ requests: 16, groups: 4, handled: 0, succeeded: 0, unexpected: 0 });
    bench.expectCounts({ invalid: each('invalid'), failures: each('failure') });
    bench.expectHostIdle();
    expect(bench.errors).toBe(onOff === 'failure' ? PRI_STATUS_RF : 0);
    expect(bench.queue.isDone()).toBe(onOff !== 'none');
    if (onOff !== 'none') bench.expectResults(STALL_ABORT);
    bench.misbehave({}).on();
    bench.settle();
    bench.expectCounts({ resets: onOff === 'none' ? 1 : 0, handled: 0 });
    bench.expectResults(STALL_ABORT);
    bench.expectClean();
  },

  /** Each of its groups is answered, by a handler or by hardware, and honest accesses get through it. */
  storm: (open) => {
    const bench = open({ credits: 128, entries: 16 }).misbehave({ storm: true }); // the link holds all that can be outstanding
    for (let turn = 0; turn < 60; turn++) {
      bench.endpoint.pump();
      bench.host.runHardware();
      if (turn % 4 === 3) bench.host.settle();
      if (turn % 10 === 0) bench.post(8);
    }
    bench.misbehave({}).settle();
    const stormed = bench.stat('stormed');
    const honest = bench.stat('groups') - stormed;
    expect(stormed).toBeGreaterThan(256);
    expect(bench.stat('peakOutstanding')).toBeLessThanOrEqual(256 + 8);
    bench.expectCounts({ requests: stormed + honest, invalid: 0, failures: 0, unexpected: 0, ignored: 0 });
    if (bench.host.traits.onOverflow === 'success') {
      expect(honest % 8).toBe(0);
      expect(honest).toBeGreaterThanOrEqual(8);
    }
    bench.expectAllAnsweredOrReset();
    bench.expectClean();
  },
};
