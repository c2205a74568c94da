import { describe, expect, test } from 'vitest';
import { Endpoint } from '../pcie/endpoint.ts';
import { readEndpointStats } from '../pcie/endpoint-stats.ts';
import { priHostContract } from '../pcie/testing/pri-host-contract.ts';
import { STALL_RETRY } from '../smmu-v3/stall-port.ts';
import { readAmdStats } from './layout.ts';

import { AmdHost } from './testing/amd-host.ts';

describe('AMD and the lockless fault path', () => {
  priHostContract((options) => new AmdHost(options));
});

describe('endpoint, hardware, pump, core and back', () => {
  const PASID = 5;

  test('books balance through wraps, overflows and re-requests', () => {
    const host = new AmdHost({ credits: 512, entries: 255, pasid: PASID });
    const { words, portAt, functionAt, statsAt } = host;
    const endpoint = new Endpoint(words, { portAt, functionAt, statsAt, groupPages: 3, interleave: 5, clock: () => 0 });
    const queue = endpoint.openQueue(PASID, 512);
    for (let round = 0; round < 12; round++) {
      for (let page = 0; page < 512; page++) queue.post(0x1000 + round * 512 + page, 0, 1, 0);
      queue.publish();
      endpoint.pump();
      host.runHardware(); // up to 512 requests meet 255 entries
      while (!queue.isDone()) if (!host.turn() && endpoint.pump() === 0) throw new Error('nothing moves');
      for (let slot = 0; slot < 512; slot++) expect(queue.result(slot)).toBe(STALL_RETRY);
      queue.reset();
    }
    host.settle();
    const stats = readAmdStats(words, host.base);
    const counts = host.pump.counts();
    const sent = readEndpointStats(words, statsAt);
    expect(stats.pprOverflows).toBeGreaterThan(8);
    expect(counts.pprOverflows).toBe(stats.pprOverflows);
    expect(stats.logged).toBe(counts.reported);
    expect(stats.requests).toBe(stats.logged + stats.autoAnswered + stats.discarded);
    expect(host.handled() + stats.autoAnswered).toBe(sent.groups);
    expect(stats).toMatchObject({ responses: host.handled(), strays: 0, undelivered: 0, rejected: 0, events: 0 });
    expect([host.pending(), host.partials()]).toEqual([0, 0]);
    host.verify();
  });
});
