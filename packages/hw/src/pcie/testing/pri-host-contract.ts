import { describe, expect, test } from 'vitest';
import { STALL_ABORT, STALL_PENDING, STALL_RETRY } from '../../smmu-v3/stall-port.ts';
import { Endpoint, type EndpointConfig } from '../endpoint.ts';
import type { EndpointQueue } from '../endpoint-queue.ts';
import { type EndpointStat, readEndpointStats } from '../endpoint-stats.ts';
import { PRI_STATUS_RF, PRI_STATUS_STOPPED, PRI_STATUS_UPRGI } from '../function.layout.ts';
import { MISBEHAVIOURS, type Misbehaviours } from '../misbehaviour.ts';
import { PriCapability } from '../pri-capability.ts';
import type { MakePriHost, PriHost, PriHostOptions } from './pri-host.ts';

const PASID = 5;
const READ = 1;
const MOST_TURNS = 100;

type Shape = Pick<EndpointConfig, 'groupPages' | 'interleave'>;

/** An endpoint at a host, and what a test asks about the two. */
class Bench {
  readonly host: PriHost;
  readonly endpoint: Endpoint;
  readonly pri: PriCapability;
  readonly queue: EndpointQueue;
  readonly #pump = (): void => void this.endpoint.pump();
  #page = 0x1000;

  constructor(makeHost: MakePriHost, options: Partial<PriHostOptions>, shape: Shape = {}, pasid = PASID) {
    this.host = makeHost({ credits: 64, entries: 128, pasid: PASID, ...options });
    const { words, portAt, functionAt, statsAt } = this.host;
    this.endpoint = new Endpoint(words, { ...shape, portAt, functionAt, statsAt, clock: () => 0 });
    this.pri = new PriCapability(words, functionAt, []);
    this.queue = this.endpoint.openQueue(pasid, 512);
  }

  stat(name: EndpointStat): number {
    return readEndpointStats(this.host.words, this.host.statsAt)[name];
  }

  /** Posts a round of fresh pages, unless the last one waits for answers. */
  post(pages: number): void {
    if (!this.queue.isDone()) return;
    this.queue.reset();
    for (let page = 0; page < pages; page++) this.queue.post(this.#page++, 0, READ, 0);
    this.queue.publish();
  }

  /** Lets both sides work until nothing moves; in a storm something always does. */
  settle(): void {
    for (let turns = 0, idle = 0; turns < MOST_TURNS && idle < 3; turns++) {
      this.host.settle();
      idle = this.endpoint.pump() === 0 ? idle + 1 : 0;
    }
  }

  run(pages: number): void {
    this.post(pages);
    this.settle();
  }

  results(): number[] {
    return Array.from({ length: this.queue.posted }, (_, slot) => this.queue.result(slot));
  }

  /** Nothing outstanding on either side, and a host that goes on. */
  expectClean(): void {
    expect(this.host.pending()).toBe(0);
    expect(this.host.partials()).toBe(0);
    expect(this.endpoint.outstanding).toBe(0);
    expect(this.endpoint.groups).toBe(0);
    this.host.verify();
    this.endpoint.misbehave({});
    const before = this.stat('unexpected');
    const handled = this.host.handled();
    const groups = this.stat('groups');
    this.run(4);
    expect(this.queue.isDone()).toBe(true);
    expect(this.results()).toEqual(Array(4).fill(STALL_RETRY));
    expect(this.stat('unexpected')).toBe(before);
    expect(this.host.handled() - handled).toBe(this.stat('groups') - groups);
    this.host.verify();
  }

  off(): void {
    this.host.priOff(this.#pump);
  }

  on(): void {
    this.host.priOn(this.#pump);
  }

  /** What a broken function is brought back with. */
  recover(): void {
    this.off();
    this.on();
    this.settle();
    expect(this.queue.isDone()).toBe(true);
    this.pri.clearStatus(PRI_STATUS_UPRGI | PRI_STATUS_RF);
  }

  /** Every group was answered once: by a handler, or by hardware. */
  expectAllAnswered(): void {
    expect(this.queue.isDone()).toBe(true);
    expect(this.stat('succeeded')).toBe(this.stat('groups'));
  }

  /** As {@link expectAllAnswered}; where the family leaves requests unanswered that met a full queue, the rest goes with a reset. */
  expectAllAnsweredOrReset(): void {
    if (this.host.traits.onOverflow === 'none' && !this.queue.isDone()) this.recover();
    else if (this.host.traits.onOverflow === 'none' && this.endpoint.outstanding > 0) this.recover();
    else this.expectAllAnswered();
  }
}

/** What every IOMMU family owes a function that behaves, and one that does not: each group answered once, by whom the family says; the host
 * stays up; nothing is left outstanding. `makeHost` makes a fresh host for each test.
 * @see hardware reference, 1.5, 2.2, 4 and 5 */
export function priHostContract(makeHost: MakePriHost): void {
  const open = (options: Partial<PriHostOptions> = {}, shape?: Shape, pasid?: number): Bench =>
    new Bench(makeHost, options, shape, pasid);
  const spoilt = (switches: Misbehaviours, shape?: Shape, options: Partial<PriHostOptions> = {}): Bench => {
    const bench = open(options, shape);
    bench.endpoint.misbehave(switches);
    return bench;
  };

  describe('a function that behaves', () => {
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
      expect(bench.results()).toEqual(Array(pages).fill(STALL_RETRY));
      expect(bench.host.handled()).toBe(bench.stat('groups'));
      expect(bench.stat('peakOutstanding')).toBeLessThanOrEqual(64);
      expect(bench.pri.status() & (PRI_STATUS_UPRGI | PRI_STATUS_RF)).toBe(0);
      bench.expectClean();
    });

    test('a group of 512 pages', () => {
      const bench = open({ credits: 512, entries: 1024 }, { groupPages: 512 });
      bench.run(512);
      expect(bench.stat('groups')).toBe(1);
      bench.expectAllAnswered();
      bench.expectClean();
    });

    test('without PASID', () => {
      const bench = open({}, { groupPages: 4 }, -1);
      bench.run(16);
      expect(bench.host.pending()).toBe(0);
      if (bench.host.traits.takesPlain) {
        bench.expectAllAnswered();
        bench.expectClean();
      } else {
        expect(bench.queue.isDone()).toBe(true); // rejected, by an answer
        expect(bench.results()).toEqual(Array(16).fill(STALL_ABORT));
        expect(bench.host.handled()).toBe(0);
        bench.recover();
        expect(bench.host.partials()).toBe(0);
        bench.host.verify();
      }
    });

    test('a stop marker is taken and not answered', () => {
      const bench = open();
      bench.post(8);
      expect(bench.endpoint.stopMarker(PASID)).toBe(true);
      bench.settle();
      bench.expectAllAnswered();
      expect(bench.host.handled()).toBe(8);
      expect(bench.stat('unexpected')).toBe(0);
      bench.expectClean();
    });

    test('a full queue: automatic answers, and what they answered is asked again', () => {
      const bench = open({ credits: 64, entries: 8 }, { groupPages: 4, interleave: 4 });
      bench.post(64);
      bench.host.runHardware();
      bench.settle();
      bench.expectAllAnsweredOrReset();
      bench.expectClean();
    });

    test('PRI off with groups outstanding: all are answered, and the function stops', () => {
      const bench = open({}, { groupPages: 4 });
      bench.post(32);
      bench.off();
      bench.settle();
      expect(bench.queue.isDone()).toBe(true);
      expect(bench.pri.status() & PRI_STATUS_STOPPED).toBe(PRI_STATUS_STOPPED);
      expect([bench.host.pending(), bench.host.partials()]).toEqual([0, 0]);
      bench.on();
      bench.expectClean();
    });
  });

  const outcomes: { readonly [name in (typeof MISBEHAVIOURS)[number]]: () => void } = {
    creditsExceeded: () => {
      const bench = spoilt({ creditsExceeded: true }, { groupPages: 4, interleave: 4 }, { credits: 8, entries: 8 });
      bench.post(24); // no more than the link takes at once
      expect(bench.stat('peakOutstanding')).toBeGreaterThan(8);
      bench.host.runHardware();
      bench.settle();
      bench.expectAllAnsweredOrReset();
      bench.expectClean();
    },

    groupIndexReused: () => {
      const bench = spoilt({ groupIndexReused: 2 }, { groupPages: 3, interleave: 4 });
      bench.run(48);
      expect(bench.stat('reused')).toBeGreaterThan(0);
      bench.expectAllAnswered(); // a last page flag is a group, whatever its index: one answer each
      expect(bench.stat('unexpected')).toBe(0);
      bench.expectClean();
    },

    lastPageMissing: () => {
      const bench = spoilt({ lastPageMissing: 2 }, { groupPages: 4 });
      bench.run(16);
      expect(bench.queue.isDone()).toBe(false);
      expect(bench.stat('succeeded')).toBe(2);
      expect(bench.results().filter((result) => result === STALL_PENDING).length).toBe(8);
      expect(bench.host.handled()).toBe(2); // a request that is not the last is never answered alone
      expect(bench.host.pending()).toBe(0);
      bench.recover();
      expect(bench.host.partials()).toBe(0);
      bench.expectClean(); // no group is joined by what was left behind
    },

    lastPageDoubled: () => {
      const bench = spoilt({ lastPageDoubled: 2 }, { groupPages: 4 });
      bench.run(16);
      expect(bench.stat('doubled')).toBe(2);
      bench.expectAllAnswered();
      expect(bench.stat('unexpected')).toBe(2); // the second flag is a group of one page to the host
      expect(bench.pri.status() & PRI_STATUS_UPRGI).toBe(PRI_STATUS_UPRGI);
      bench.expectClean();
    },

    pasidChangedInGroup: () => {
      const bench = spoilt({ pasidChangedInGroup: 2 }, { groupPages: 4 });
      bench.run(16);
      bench.expectAllAnswered(); // with the PASID of the last request
      expect(bench.stat('wrongPasid')).toBe(0);
      expect(bench.stat('unexpected')).toBe(0);
      bench.expectClean();
    },

    responseLost: () => {
      const bench = spoilt({ responseLost: 2 }, { groupPages: 4 });
      bench.run(16);
      expect(bench.stat('lost')).toBe(2);
      expect([bench.host.pending(), bench.host.partials()]).toEqual([0, 0]); // the host has done its part
      expect(bench.queue.isDone()).toBe(false);
      bench.endpoint.misbehave({});
      bench.off();
      expect(bench.pri.status() & PRI_STATUS_STOPPED).toBe(0);
      bench.on();
      bench.settle();
      expect(bench.results().filter((result) => result === STALL_ABORT).length).toBe(8);
      bench.expectClean();
    },

    responseDuplicated: () => {
      const bench = spoilt({ responseDuplicated: 2 }, { groupPages: 4 });
      bench.run(16);
      expect(bench.stat('duplicated')).toBe(2);
      bench.expectAllAnswered();
      expect(bench.stat('unexpected')).toBe(2);
      expect(bench.results()).toEqual(Array(16).fill(STALL_RETRY)); // no side effect
      bench.expectClean();
    },

    requestsAfterPriOff: () => {
      const bench = open({}, { groupPages: 4 });
      bench.off();
      const handled = bench.host.handled();
      bench.endpoint.misbehave({ requestsAfterPriOff: true });
      bench.run(16);
      expect(bench.stat('requests')).toBe(16);
      expect(bench.host.handled()).toBe(handled); // nobody serves it
      expect([bench.host.pending(), bench.host.partials()]).toEqual([0, 0]);
      const { onOff } = bench.host.traits;
      expect(bench.queue.isDone()).toBe(onOff !== 'none');
      if (onOff !== 'none') expect(bench.results()).toEqual(Array(16).fill(STALL_ABORT));
      expect(bench.stat('invalid') > 0).toBe(onOff === 'invalid');
      expect(bench.stat('failures') > 0).toBe(onOff === 'failure');
      bench.endpoint.misbehave({});
      bench.on();
      bench.pri.clearStatus(PRI_STATUS_UPRGI | PRI_STATUS_RF);
      bench.settle();
      bench.expectClean();
    },

    storm: () => {
      const bench = spoilt({ storm: true }, {}, { credits: 128, entries: 16 }); // the link holds all that can be outstanding;
      for (let turn = 0; turn < 60; turn++) {
        bench.endpoint.pump();
        bench.host.runHardware();
        if (turn % 4 === 3) bench.host.settle();
        if (turn % 10 === 0) bench.post(8);
      }
      bench.endpoint.misbehave({});
      bench.settle();
      expect(bench.stat('stormed')).toBeGreaterThan(256);
      if (bench.host.traits.onOverflow === 'success')
        expect(bench.stat('groups')).toBeGreaterThanOrEqual(bench.stat('stormed') + 8); // honest accesses got through it
      bench.expectAllAnsweredOrReset();
      bench.expectClean();
    },
  };

  describe('a function that misbehaves', () => {
    for (const name of MISBEHAVIOURS) test(name, outcomes[name]);

    test('all at once, on and off: the host stays up, and a reset brings the function back', () => {
      const bench = open({ credits: 32, entries: 16 }, { groupPages: 3, interleave: 3 });
      for (let turn = 0; turn < 60; turn++) {
        const which = (turn * 7) % MISBEHAVIOURS.length;
        bench.endpoint.misbehave({ [MISBEHAVIOURS[which]]: 2, [MISBEHAVIOURS[(which + 1 + (turn % 8)) % 9]]: 3 });
        if (bench.queue.isDone()) bench.post(30);
        bench.host.runHardware();
        if (turn % 3 === 0) bench.settle();
        bench.host.verify();
        if (turn % 10 === 9) {
          bench.endpoint.misbehave({});
          bench.recover();
        }
      }
      bench.endpoint.misbehave({});
      bench.recover();
      bench.expectClean();
    });
  });
}
