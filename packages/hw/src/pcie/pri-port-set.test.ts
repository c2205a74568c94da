import { LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { NO_PORT } from '../queue/announce.ts';
import { ANNOUNCE, portRig, refusal } from './pri-port.test-help.ts';
import { PriRequester } from './pri-port.ts';
import { PriPortSet } from './pri-port-set.ts';

describe('a set of ports', () => {
  test('serves those that have records, in turn, and finds late ones', () => {
    const count = 70; // three announce words
    const { words, bases } = portRig(Array.from({ length: count }, (_, port) => ({ rid: port })));
    const set = new PriPortSet(words, ANNOUNCE, bases);
    expect(set.announced()).toBe(false);
    const busy = [3, 31, 32, 69];
    for (const port of busy) {
      const requester = new PriRequester(words, bases[port]);
      for (let i = 0; i < 3; i++) requester.post(port, i, 0, 0, 0, 0);
      requester.publish();
    }
    expect(set.announced()).toBe(true);
    set.collect();
    expect(set.announced()).toBe(false);
    const order: number[] = [];
    for (let port = set.head(); port !== NO_PORT; port = set.head()) {
      order.push(port);
      expect(words[set.servant(port).peek()]).toBe(port);
      set.servant(port).next();
      set.rotate();
    }
    expect(order).toEqual([...busy, ...busy, ...busy]);
    const late = new PriRequester(words, bases[31]);
    late.post(0, 0, 0, 0, 0, 0);
    late.publish();
    late.post(0, 0, 0, 0, 0, 0);
    late.publish();
    set.collect();
    expect(set.head()).toBe(31);
    expect(set.rid(31)).toBe(31);
  });

  test('a response goes to the port that has the index; flush publishes each port once', () => {
    const { words, bases, wake } = portRig([
      { groupFirst: 0, groupCount: 100 },
      { groupFirst: 100, groupCount: 400 },
      { rid: 9 },
    ]);
    const set = new PriPortSet(words, ANNOUNCE, bases);
    expect([set.portOf(8, 99), set.portOf(8, 100), set.portOf(8, 500), set.portOf(9, 0), set.portOf(10, 0)]).toEqual([
      0,
      1,
      NO_PORT,
      2,
      NO_PORT,
    ]);
    expect(set.respond(8, 499, 0, -1, 0)).toBe(true);
    expect(set.respond(8, 100, 0, -1, 0)).toBe(true);
    expect(set.respond(8, 511, 0, -1, 0)).toBe(false);
    expect(set.invalidate(2, 0, 0, 0, 52, -1)).toBe(true);
    set.flush();
    set.flush();
    expect(wake.rings()).toBe(2);
    const requester = new PriRequester(words, bases[1]);
    expect(words[requester.peek()]).toBe(499);
  });

  test('refuses ports that are not its own, or not apart', () => {
    const { words, bases } = portRig([{}, { rid: 9 }, { groupFirst: 4 }]);
    expect(() => new PriPortSet(words, ANNOUNCE, [bases[1]])).toThrow(refusal('bases'));
    expect(() => new PriPortSet(words, LINE * 2, [bases[0]])).toThrow(refusal('bases'));
    expect(() => new PriPortSet(words, ANNOUNCE, bases)).toThrow(refusal('groupFirst'));
  });
});
