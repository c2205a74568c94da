import { LINE } from '@faultline/core/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initPriPort, priPortLayout, priPortWords } from './pri-port.layout.ts';
import { ANNOUNCE, BELL, portRig, refusal, WAKE } from './pri-port.test-help.ts';
import { NO_RECORD, PriRequester, PriServant, priPortDropped } from './pri-port.ts';

describe('the two rings', () => {
  test('a request, word by word', () => {
    const { words, bases } = portRig([{}]);
    const requester = new PriRequester(words, bases[0]);
    const servant = new PriServant(words, bases[0]);
    expect(requester.post(0x11, 0x22, 0x33, 0x44, 0x55, 0x66)).toBe(true);
    expect(servant.peek()).toBe(NO_RECORD);
    requester.publish();
    const at = servant.peek();
    expect(at).toBe(bases[0] + 7 * LINE); // behind the header's seven lines
    expect(Array.from(words.subarray(at, at + 8))).toEqual([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0, 0]);
    expect(words[ANNOUNCE]).toBe(1);
  });

  test('a response and an invalidation, word by word', () => {
    const { words, bases } = portRig([{}]);
    const requester = new PriRequester(words, bases[0]);
    const servant = new PriServant(words, bases[0]);
    servant.respond(0x1ff, 15, -1, 9);
    servant.respond(3, 1, 0xabcde, 10);
    servant.invalidate(31, 0x1000, 0xfffff, 9, 7);
    servant.invalidate(2, 0, 0, 52, -1);
    expect(requester.peek()).toBe(NO_RECORD);
    servant.publish();
    const read = (): number[] => {
      const at = requester.peek();
      requester.next();
      return Array.from(words.subarray(at, at + 7));
    };
    expect(read()).toEqual([0x1ff, 15, 0, 0, 0, 0, 9]);
    expect(read()).toEqual([3, 1, 1, 0xabcde, 0, 0, 10]);
    expect(read().slice(0, 6)).toEqual([31, 9, 3, 7, 0x1000, 0xfffff]);
    expect(read().slice(0, 6)).toEqual([2, 52, 2, 0, 0, 0]);
    expect(requester.peek()).toBe(NO_RECORD);
  });

  test('room runs out, is given back at once, and the endpoint that waits for it is woken once', () => {
    const { words, bases, wake } = portRig([{ credits: 16 }]); // 2 * 16 + 32 = 64 slots
    const requester = new PriRequester(words, bases[0]);
    const servant = new PriServant(words, bases[0]);
    for (let i = 0; i < 64; i++) expect(requester.post(i, 0, 0, 0, 0, 0)).toBe(true);
    expect(requester.claim()).toBe(NO_RECORD);
    expect(requester.hasWork()).toBe(false);
    requester.publish();
    for (let i = 0; i < 3; i++) {
      expect(words[servant.peek()]).toBe(i);
      servant.next();
    }
    expect(requester.claim()).toBe(NO_RECORD);
    servant.release();
    expect(wake.rings()).toBe(1);
    expect(requester.hasWork()).toBe(true);
    expect(requester.post(64, 0, 0, 0, 0, 0)).toBe(true);
    expect(requester.hasWork()).toBe(false); // room is no news to who does not wait for it
    servant.next();
    servant.release();
    expect(wake.rings()).toBe(1);
  });

  test('an endpoint that takes no responses costs nobody else anything: they are dropped and counted', () => {
    const { words, bases } = portRig([{ credits: 16 }]);
    const servant = new PriServant(words, bases[0]);
    for (let i = 0; i < 64; i++) expect(servant.respond(i, 0, -1, 0)).toBe(true);
    expect(servant.respond(64, 0, -1, 0)).toBe(false);
    expect(servant.invalidate(0, 0, 0, 52, -1)).toBe(false);
    servant.publish();
    expect(priPortDropped(words, bases[0])).toBe(2);
    const requester = new PriRequester(words, bases[0]);
    expect(requester.hasWork()).toBe(true);
    requester.peek();
    requester.next();
    requester.release();
    expect(servant.respond(65, 0, -1, 0)).toBe(true);
  });

  test('nothing sent: nobody is bothered', () => {
    const { words, bases, wake, bell } = portRig([{}]);
    new PriRequester(words, bases[0]).publish();
    new PriServant(words, bases[0]).publish();
    new PriServant(words, bases[0]).release();
    expect([wake.rings(), bell.rings(), words[ANNOUNCE]]).toEqual([0, 0, 0]);
  });

  test('what goes in comes out, both ways, in order, for any pace', () => {
    const moves = fc.array(fc.record({ who: fc.nat(3), count: fc.nat(70) }), { maxLength: 60 });
    fc.assert(
      fc.property(moves, (steps) => {
        const { words, bases } = portRig([{ credits: 1 }]); // 64 slots
        const requester = new PriRequester(words, bases[0]);
        const servant = new PriServant(words, bases[0]);
        let [sent, got, answered, heard] = [0, 0, 0, 0];
        for (const { who, count } of steps) {
          for (let i = 0; i < count; i++) {
            if (who === 0 && requester.post(sent, 0, 0, 0, 0, 0)) sent++;
            if (who === 1 && servant.peek() !== NO_RECORD) {
              expect(words[servant.peek()]).toBe(got++);
              servant.next();
            }
            if (who === 2 && servant.respond(answered, 0, -1, 0)) answered++;
            if (who === 3 && requester.peek() !== NO_RECORD) {
              expect(words[requester.peek()]).toBe(heard++);
              requester.next();
            }
          }
          requester.publish();
          servant.release();
          servant.publish();
          requester.release();
          expect(sent - got).toBeLessThanOrEqual(64);
          expect(answered - heard).toBeLessThanOrEqual(64);
        }
        // Whoever takes a port over in the middle goes on where the rings stand.
        const late = new PriServant(words, bases[0]);
        for (; late.peek() !== NO_RECORD; late.next()) expect(words[late.peek()]).toBe(got++);
        expect(got).toBe(sent);
      }),
    );
  });

  test('the table is what the code uses', () => {
    expect(priPortLayout.fields.map(({ name, offset }) => [name, offset])).toEqual([
      ['HEADER', 0],
      ['REQUEST_PROD', 32],
      ['REQUEST_CONS', 64],
      ['RESPONSE_PROD', 96],
      ['RESPONSE_CONS', 128],
      ['STARVED', 160],
      ['DROPPED', 192],
    ]);
    expect(priPortWords(1)).toBe(7 * 32 + 2 * 64 * 8);
    expect(priPortWords(65536)).toBe(7 * 32 + 2 * 262144 * 8);
  });

  test.each([
    ['credits', { credits: 0 }],
    ['credits', { credits: 65537 }],
    ['port', { port: -1 }],
    ['rid', { rid: 65536 }],
    ['groupFirst', { groupFirst: 512 }],
    ['groupCount', { groupFirst: 500, groupCount: 13 }],
    ['wakeAt', { wakeAt: 0 }],
    ['announceBase', { announceBase: 2 ** 30 }],
    ['doorbellBase', { doorbellBase: -1 }],
  ] as const)('refuses %s out of range', (field, config) => {
    const { words, bases } = portRig([{ credits: 64 }]);
    const base = { port: 0, rid: 8, credits: 4, wakeAt: WAKE, announceBase: ANNOUNCE, doorbellBase: BELL };
    expect(() => initPriPort(words, bases[0], { ...base, ...config })).toThrow(refusal(field));
  });

  test('refuses words without a port', () => {
    const { words } = portRig([{}]);
    expect(() => new PriRequester(words, BELL)).toThrow(refusal('base'));
    expect(() => new PriServant(words, BELL)).toThrow(refusal('base'));
    expect(() =>
      initPriPort(words, 33, {
        ...{ port: 0, rid: 8, credits: 4 },
        wakeAt: WAKE,
        announceBase: LINE,
        doorbellBase: BELL,
      }),
    ).toThrow(refusal('base'));
  });
});
