import { rwlockReaders } from '@faultline/core/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVENT_KINDS, encodeEvent } from '../events.ts';
import { isForwardable, VirtualEventRouter } from './event-router.ts';
import { MASTER_LOCK } from './layout.ts';
import { SELF, sidOf, VirtualRig } from './virtual.test-help.ts';

const EOPNOTSUPP = -95;
const VSID = 0x0004_2001;
const FORWARDED = [0x04, 0x06, 0x08, 0x0a, 0x10, 0x11, 0x12, 0x13];

class Routing {
  readonly rig = new VirtualRig();
  readonly vsmmu = this.rig.vsmmu();
  readonly seen: { vsmmu: number; record: number[] }[] = [];
  answer = 0;
  readonly at = this.rig.spareAt + 32;
  readonly router = new VirtualEventRouter(
    this.rig.area,
    SELF,
    {
      reportEvent: (vsmmu, at) => {
        this.seen.push({ vsmmu, record: Array.from(this.rig.words.subarray(at, at + 8), (w) => w >>> 0) });
        return this.answer;
      },
    },
    this.rig.spareAt + 64,
  );

  constructor() {
    this.rig.vdevices.alloc(this.vsmmu, 1, VSID);
  }

  route(words: readonly number[], device: number = 1): number {
    this.rig.words.set(words, this.at);
    return this.router.route(device, this.at);
  }
}

// F_TRANSLATION of substream 9: SSV 11, SSID 31:12; RnW 35 of w1, CLASS 2 in 41:40; address 0xabcde123.
const RECORD = [0x0000_9810, sidOf(1), 0, 0x0000_0208, 0xabcde123, 0x7f, 0, 0];

describe('an event', () => {
  test("goes to the guest's queue with the guest's StreamID, and is the same else", () => {
    const routing = new Routing();
    routing.rig.attach(1, routing.rig.nested(routing.vsmmu));
    expect(routing.route(RECORD)).toBe(0);
    expect(routing.seen).toEqual([
      { vsmmu: routing.vsmmu, record: [0x0000_9810, VSID, 0, 0x208, 0xabcde123, 0x7f, 0, 0] },
    ]);
    expect(routing.rig.words[routing.at + 1] >>> 0).toBe(sidOf(1)); // the record is the hardware's
  });

  test('is kept while no nested domain is attached, whatever vdevice there is', () => {
    const routing = new Routing();
    expect(routing.route(RECORD)).toBe(EOPNOTSUPP);
    routing.rig.attach(1, routing.rig.nested(routing.vsmmu));
    routing.rig.attach(1, 0);
    expect(routing.route(RECORD)).toBe(EOPNOTSUPP);
    expect(routing.route(RECORD, 0)).toBe(EOPNOTSUPP);
    expect(routing.seen).toEqual([]);
    expect(routing.router.counts()).toEqual({ forwarded: 0, kept: 3, refused: 0 });
  });

  test('that stalls, or is of stage 2, is never for a guest', () => {
    const routing = new Routing();
    routing.rig.attach(1, routing.rig.nested(routing.vsmmu));
    const stalled = RECORD.with(2, 0x8000_0007);
    const stage2 = RECORD.with(3, 0x0000_0288); // S2 is bit 39
    expect([routing.route(stalled), routing.route(stage2)]).toEqual([EOPNOTSUPP, EOPNOTSUPP]);
    expect(routing.route(RECORD.with(2, 7))).toBe(0); // STAG without Stall says nothing
  });

  test.each(EVENT_KINDS)('of kind $name', ({ id }) => {
    const words = new Int32Array(8);
    encodeEvent(words, 0, id, { streamId: 1 });
    expect(isForwardable(words, 0)).toBe(FORWARDED.includes(id));
  });

  test('of every other number is kept', () => {
    const words = new Int32Array(8);
    for (let id = 0; id < 256; id++) {
      words[0] = id;
      expect(isForwardable(words, 0)).toBe(FORWARDED.includes(id));
    }
  });

  test("of a device that the virtual side does not know is the host's", () => {
    const routing = new Routing();
    expect(routing.route(RECORD, 4)).toBe(EOPNOTSUPP);
    expect(routing.router.counts()).toEqual({ forwarded: 0, kept: 1, refused: 0 });
  });

  test('that the queue refuses is counted; the lock is free, also if it throws', () => {
    const routing = new Routing();
    routing.rig.attach(1, routing.rig.nested(routing.vsmmu));
    routing.answer = EOPNOTSUPP;
    expect(routing.route(RECORD)).toBe(EOPNOTSUPP);
    expect(routing.router.counts()).toEqual({ forwarded: 0, kept: 0, refused: 1 });
    const failing = new VirtualEventRouter(
      routing.rig.area,
      SELF,
      {
        reportEvent: () => {
          throw new Error('broken queue');
        },
      },
      routing.rig.spareAt,
    );
    expect(() => failing.route(1, routing.at)).toThrow('broken queue');
    expect(rwlockReaders(routing.rig.words, routing.rig.area.masterAt('test', 1) + MASTER_LOCK)).toBe(0);
  });

  test('whatever its words: only the StreamID changes', () => {
    const routing = new Routing();
    routing.rig.attach(1, routing.rig.nested(routing.vsmmu));
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), fc.constantFrom(...FORWARDED), (words, id) => {
        const record = words.with(0, ((words[0] & ~0xff) | id) >>> 0);
        routing.seen.length = 0;
        const result = routing.route(record);
        const guests = (record[2] & 0x8000_0000) === 0 && (record[3] & 0x80) === 0;
        expect(result).toBe(guests ? 0 : EOPNOTSUPP);
        expect(routing.seen).toEqual(guests ? [{ vsmmu: routing.vsmmu, record: record.with(1, VSID) }] : []);
      }),
      { numRuns: 500 },
    );
  });
});
