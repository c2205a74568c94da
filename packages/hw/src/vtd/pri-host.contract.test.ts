import { describe, expect, test } from 'vitest';
import { Endpoint } from '../pcie/endpoint.ts';
import { readEndpointStats } from '../pcie/endpoint-stats.ts';
import { priHostContract } from '../pcie/testing/pri-host-contract.ts';
import { STALL_RETRY } from '../smmu-v3/stall-port.ts';
import { readVtdStats } from './index.ts';
import { VtdHost } from './testing/vtd-host.ts';

describe('VT-d and the lockless fault path', () => {
  priHostContract((options) => new VtdHost(options));
});

describe('endpoint, hardware, pump, core and back', () => {
  const PASID = 5;

  test('books balance through wraps, overflows and re-requests', () => {
    const host = new VtdHost({ credits: 256, entries: 127, pasid: PASID });
    const { words, portAt, functionAt, statsAt } = host;
    const endpoint = new Endpoint(words, { portAt, functionAt, statsAt, groupPages: 3, interleave: 5, clock: () => 0 });
    const queue = endpoint.openQueue(PASID, 256);
    for (let round = 0; round < 12; round++) {
      for (let page = 0; page < 256; page++) queue.post(0x1000 + round * 256 + page, 0, 1, 0);
      queue.publish();
      endpoint.pump();
      host.runHardware(); // 256 requests meet 127 descriptors
      while (!queue.isDone()) if (!host.turn() && endpoint.pump() === 0) throw new Error('nothing moves');
      for (let slot = 0; slot < 256; slot++) expect(queue.result(slot)).toBe(STALL_RETRY);
      queue.reset();
    }
    host.settle();
    const stats = readVtdStats(words, host.base);
    const counts = host.pump.counts();
    const sent = readEndpointStats(words, statsAt);
    expect(stats.overflows).toBeGreaterThan(8);
    expect(counts.overflows).toBe(stats.overflows);
    expect(stats.queued).toBe(counts.reported);
    expect(stats.requests).toBe(stats.queued + stats.autoSuccess + stats.dropped);
    expect(host.handled() + stats.autoSuccess).toBe(sent.groups);
    expect(stats).toMatchObject({ responses: host.handled(), strayResponses: 0, autoInvalid: 0, tableErrors: 0 });
    expect([host.pending(), host.partials()]).toEqual([0, 0]);
    host.verify();
  });
});
