import { describe, expect, test } from 'vitest';
import { MPSC_PROD } from './mpsc.layout.ts';
import { MpscConsumer, MpscProducer } from './mpsc.ts';
import { BASE, mpscAt, STARTS, sharedWords } from './rings.test-help.ts';

describe.each(STARTS)('an MPSC ring of 4 slots whose positions begin at %d', (start) => {
  const open = () => {
    const words = mpscAt(start, 4, 3);
    const producers = [new MpscProducer(words, BASE), new MpscProducer(words, BASE)];
    return { words, producers, consumer: new MpscConsumer(words, BASE) };
  };

  test('is empty at first, and full after 4 claims by whomever', () => {
    const { producers, consumer } = open();
    expect(consumer.peek()).toBe(0);
    const slots = [0, 1, 1, 0].map((who) => producers[who].claim());
    expect(new Set(slots).size).toBe(4);
    for (const producer of producers) expect(producer.claim()).toBe(0);
  });

  test('is read in the order of the claims, each slot once it is published', () => {
    const { words, producers, consumer } = open();
    const first = producers[0].claim();
    const second = producers[1].claim();
    words[second] = 2;
    producers[1].publish(second);
    expect(consumer.peek()).toBe(0);
    words[first] = 1;
    producers[0].publish(first);
    for (const value of [1, 2]) {
      expect(words[consumer.peek()]).toBe(value);
      consumer.next();
    }
    expect(consumer.peek()).toBe(0);
  });

  test('goes round many times with several slots claimed at once', () => {
    const { words, producers, consumer } = open();
    for (let lap = 0; lap < 10; lap++) {
      const slots = [0, 1, 0].map((who) => producers[who].claim());
      slots.forEach((slot, i) => {
        words[slot + 2] = 10 * lap + i;
      });
      for (const slot of slots.toReversed()) producers[lap & 1].publish(slot);
      for (let i = 0; i < 3; i++) {
        expect(words[consumer.peek() + 2]).toBe(10 * lap + i);
        consumer.next();
      }
      consumer.release();
    }
  });

  test('gives slots back only when they are released', () => {
    const { producers, consumer } = open();
    for (let i = 0; i < 4; i++) producers[0].publish(producers[0].claim());
    consumer.next();
    expect(producers[1].claim()).toBe(0);
    consumer.release();
    expect(producers[1].claim()).not.toBe(0);
    expect(producers[0].claim()).toBe(0);
  });

  test('parks without sleeping while the next slot is published, and for no longer than asked when it is not', () => {
    const { producers, consumer } = open();
    producers[0].publish(producers[0].claim());
    consumer.park(60_000);
    consumer.next();
    producers[0].claim();
    producers[1].publish(producers[1].claim());
    consumer.park(1);
    expect(consumer.peek()).toBe(0);
  });
});

test.each([1, 5, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 5, 2 ** 32 - 9])(
  'a producer that was idle while %d slots went through knows full from empty',
  (passed) => {
    const words = mpscAt(7, 4, 1);
    const claimed = new MpscProducer(words, BASE);
    const idle = new MpscProducer(words, BASE);
    claimed.publish(claimed.claim());
    words.set(mpscAt((7 + passed) | 0, 4, 1)); // the ring as it is later: empty
    const later = new MpscProducer(words, BASE);
    for (let i = 0; i < 3; i++) expect(later.claim()).not.toBe(0);
    expect(idle.claim()).not.toBe(0);
    expect(claimed.claim()).toBe(0);
    expect(idle.claim()).toBe(0);
    expect(words[BASE + MPSC_PROD]).toBe((7 + passed + 4) | 0);
  },
);

test('one slot is enough', () => {
  const words = mpscAt(0, 1, 1);
  const producer = new MpscProducer(words, BASE);
  const consumer = new MpscConsumer(words, BASE);
  for (let value = 1; value < 5; value++) {
    const slot = producer.claim();
    expect(producer.claim()).toBe(0);
    words[slot] = value;
    expect(consumer.peek()).toBe(0);
    producer.publish(slot);
    expect(words[consumer.peek()]).toBe(value);
    consumer.next();
    expect(consumer.peek()).toBe(0);
    consumer.release();
  }
});

test('memory that holds no ring is not opened', () => {
  const words = sharedWords(1024);
  expect(() => new MpscProducer(words, BASE)).toThrow('MpscProducer: capacity = 0');
  expect(() => new MpscConsumer(words, BASE)).toThrow('MpscConsumer: capacity = 0');
});
