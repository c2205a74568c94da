import { LINE } from '@faultline/core/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Announcements, announceBit, announceWord, announceWords, NO_PORT } from './announce.ts';
import { Turns } from './turns.ts';

const BASE = LINE;

function taken(announced: Announcements): number[] {
  const ports: number[] = [];
  for (let port = announced.next(); port !== NO_PORT; port = announced.next()) ports.push(port);
  return ports;
}

test('a word of bits for 32 ports, a line apart', () => {
  expect([0, 1, 32, 33].map(announceWords)).toEqual([0, LINE, LINE, 2 * LINE]);
  expect([announceWord(BASE, 31), announceWord(BASE, 32)]).toEqual([BASE, BASE + LINE]);
  expect([announceBit(0), announceBit(31), announceBit(32)]).toEqual([1, 1 << 31, 1]);
});

test('each announcement is taken once, in order; bits beyond the last port are nobody’s', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(fc.nat(127)), (count, ports) => {
      const words = new Int32Array(new SharedArrayBuffer(4 * (BASE + announceWords(128))));
      const announced = new Announcements(words, BASE, count);
      for (const port of ports) words[announceWord(BASE, port)] |= announceBit(port);
      const expected = [...new Set(ports)].filter((port) => port < count).sort((a, b) => a - b);
      const ownWord = (port: number): boolean => announceWord(BASE, port) < BASE + announceWords(count);
      expect(announced.pending()).toBe(ports.some(ownWord));
      expect([taken(announced), taken(announced), announced.pending()]).toEqual([expected, [], false]);
    }),
  );
});

test('what is announced while others are taken is found the next time', () => {
  const words = new Int32Array(new SharedArrayBuffer(4 * (BASE + announceWords(64))));
  const announced = new Announcements(words, BASE, 64);
  words[BASE] = 0b11;
  expect(announced.next()).toBe(0);
  words[BASE] = 0b1;
  words[BASE + LINE] = 1 << 31;
  expect([taken(announced), taken(announced)]).toEqual([[1, 63], [0]]);
});

test('turns, beside a plain list', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.option(fc.nat(19))), (ports, steps) => {
      const turns = new Turns(ports);
      const list: number[] = [];
      for (const step of steps) {
        if (step === null) {
          if (list.shift() !== undefined) turns.leave();
        } else if (!list.includes(step % ports)) list.push(step % ports);
        if (step !== null) turns.join(step % ports);
        expect([turns.head(), turns.count]).toEqual([list[0] ?? NO_PORT, list.length]);
        expect(list.map((_, turn) => turns.at(turn))).toEqual(list);
      }
    }),
  );
});
