import { describe, expect, test } from 'vitest';
import { MpmcConsumer, MpmcProducer } from './mpmc.ts';
import { BASE, mpmcAt, STARTS, sharedWords } from './rings.test-help.ts';

describe.each(STARTS)('an MPMC ring of 4 values whose positions begin at %d', (start) => {
  const open = () => {
    const words = mpmcAt(start, 4);
    return {
      producers: [new MpmcProducer(words, BASE), new MpmcProducer(words, BASE)],
      consumers: [new MpmcConsumer(words, BASE), new MpmcConsumer(words, BASE)],
    };
  };

  test('is empty at first, full after 4 pushes, and empty again after 4 pops', () => {
    const { producers, consumers } = open();
    expect(consumers[0].pop()).toBe(0);
    expect([1, 2, 3, 4, 5].map((value) => producers[value & 1].push(value))).toEqual([true, true, true, true, false]);
    expect([0, 1, 1, 0, 1].map((who) => consumers[who].pop())).toEqual([1, 2, 3, 4, 0]);
  });

  test('keeps the order over many laps', () => {
    const { producers, consumers } = open();
    for (let value = 1; value < 40; value++) {
      expect(producers[value & 1].push(value)).toBe(true);
      if (value >= 3) expect(consumers[value & 1].pop()).toBe(value - 2);
    }
  });
});

test('a value that would read as nothing is refused', () => {
  const producer = new MpmcProducer(mpmcAt(0, 4), BASE);
  for (const value of [0, -1, 1.5, Number.NaN, 2 ** 31])
    expect(() => producer.push(value)).toThrow(`MpmcProducer.push: value = ${value}`);
});

test('memory that holds no ring is not opened', () => {
  const words = sharedWords(1024);
  expect(() => new MpmcProducer(words, BASE)).toThrow('MpmcProducer: capacity = 0');
  expect(() => new MpmcConsumer(words, BASE)).toThrow('MpmcConsumer: capacity = 0');
});

test.each(STARTS)(
  'from %d on: who keeps other consumers out looks at values where they are, and changes them',
  (start) => {
    const words = mpmcAt(start, 4);
    const producer = new MpmcProducer(words, BASE);
    const consumer = new MpmcConsumer(words, BASE);
    for (const value of [1, 2, 3]) producer.push(value);
    consumer.pop();
    for (const value of [4, 5]) producer.push(value);
    expect([0, 1, 2, 3, 4, 5].map((ahead) => consumer.peek(ahead))).toEqual([2, 3, 4, 5, 0, 0]);
    consumer.replace(1, 30);
    expect([consumer.pop(), consumer.pop(), consumer.peek(0)]).toEqual([2, 30, 4]);
    expect(() => consumer.replace(2, 9)).toThrow('for a value that is there');
    expect(() => consumer.replace(0, 0)).toThrow('value = 0');
  },
);
