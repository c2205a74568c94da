import { describe, expect, test } from 'vitest';
import { BASE, STARTS, sharedWords, spmcAt } from './rings.test-help.ts';
import { SPMC_CONS, SPMC_PARKED } from './spmc.layout.ts';
import { SpmcConsumer, SpmcProducer } from './spmc.ts';

describe.each(STARTS)('a work ring of 4 values whose indices begin at %d', (start) => {
  const open = () => {
    const words = spmcAt(start, 4);
    const consumers = [new SpmcConsumer(words, BASE), new SpmcConsumer(words, BASE)];
    return { words, producer: new SpmcProducer(words, BASE), consumers, into: new Int32Array(8) };
  };

  test('is empty at first, and full after 4 pushes', () => {
    const { producer, consumers, into } = open();
    expect(consumers[0].take(into, 8)).toBe(0);
    expect([1, 2, 3, 4, 5].map((value) => producer.push(value))).toEqual([true, true, true, true, false]);
    expect(producer.pending).toBe(4);
  });

  test('shows nothing before it is published; then each value goes to one consumer, oldest first', () => {
    const { producer, consumers, into } = open();
    for (const value of [11, 12, 13, 14]) producer.push(value);
    expect(consumers[0].take(into, 8)).toBe(0);
    expect(consumers[0].size()).toBe(0);
    producer.publish();
    expect(producer.pending).toBe(0);
    expect(consumers[0].size()).toBe(4);
    expect(consumers[0].take(into, 1)).toBe(1);
    expect(into[0]).toBe(11);
    expect(consumers[1].take(into, 2)).toBe(2);
    expect([...into.subarray(0, 2)]).toEqual([12, 13]);
    expect(producer.push(15)).toBe(true);
    producer.publish();
    expect(consumers[0].take(into, 8)).toBe(2);
    expect([...into.subarray(0, 2)]).toEqual([14, 15]);
  });

  test('a read that another consumer overtook is thrown away', () => {
    const { words, producer, consumers, into } = open();
    for (const value of [1, 2, 3]) producer.push(value);
    producer.publish();
    const other = new Int32Array(4);
    const exchange = Atomics.compareExchange;
    Atomics.compareExchange = ((...call: Parameters<typeof exchange>) => {
      Atomics.compareExchange = exchange; // once: between our read and our claim, the other takes two and they are replaced
      expect(consumers[1].take(other, 2)).toBe(2);
      for (const value of [4, 5, 6]) expect(producer.push(value)).toBe(true);
      producer.publish();
      return exchange(...call);
    }) as typeof exchange;
    try {
      expect(consumers[0].take(into, 2)).toBe(2);
    } finally {
      Atomics.compareExchange = exchange;
    }
    expect([...other.subarray(0, 2)]).toEqual([1, 2]);
    expect([...into.subarray(0, 2)]).toEqual([3, 4]);
    expect(words[BASE + SPMC_CONS]).toBe((start + 4) | 0);
  });

  test('parks without sleeping while it holds something, and leaves no announcement behind', () => {
    const { words, producer, consumers } = open();
    producer.push(1);
    producer.publish();
    consumers[0].park(60_000);
    expect(consumers[0].take(new Int32Array(1), 1)).toBe(1);
    consumers[0].park(1);
    expect(words[BASE + SPMC_PARKED]).toBe(0);
  });
});

test('a value that would read as nothing is refused', () => {
  const producer = new SpmcProducer(spmcAt(0, 4), BASE);
  for (const value of [0, -1, 1.5, Number.NaN, 2 ** 31])
    expect(() => producer.push(value)).toThrow(`SpmcProducer.push: value = ${value}`);
});

test('more than there is room for is refused', () => {
  const consumer = new SpmcConsumer(spmcAt(0, 4), BASE);
  for (const max of [0, -1, 3, 1.5, Number.NaN])
    expect(() => consumer.take(new Int32Array(2), max)).toThrow(`SpmcConsumer.take: max = ${max}`);
});

test('memory that holds no ring is not opened', () => {
  const words = sharedWords(1024);
  expect(() => new SpmcProducer(words, BASE)).toThrow('SpmcProducer: capacity = 0');
  expect(() => new SpmcConsumer(words, BASE)).toThrow('SpmcConsumer: capacity = 0');
});
