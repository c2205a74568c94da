import { describe, expect, test } from 'vitest';
import { BASE, STARTS, sharedWords, spscAt } from './rings.test-help.ts';
import { SPSC_CONS, SPSC_PROD } from './spsc.layout.ts';
import { SpscConsumer, SpscProducer } from './spsc.ts';

describe.each(STARTS)('an SPSC ring of 4 slots whose indices begin at %d', (start) => {
  const open = () => {
    const words = spscAt(start, 4, 2);
    return { words, producer: new SpscProducer(words, BASE), consumer: new SpscConsumer(words, BASE) };
  };

  test('is empty at first, and full after 4 claims', () => {
    const { producer, consumer } = open();
    expect(consumer.peek()).toBe(0);
    const slots = [1, 2, 3, 4].map(() => producer.claim());
    expect(new Set(slots).size).toBe(4);
    expect(slots).not.toContain(0);
    expect(producer.claim()).toBe(0);
    expect(producer.pending).toBe(4);
  });

  test('shows nothing before it is published, and everything after', () => {
    const { words, producer, consumer } = open();
    for (const value of [10, 20, 30]) words[producer.claim() + 1] = value;
    expect(consumer.peek()).toBe(0);
    producer.publish();
    expect(producer.pending).toBe(0);
    const seen: number[] = [];
    for (let slot = consumer.peek(); slot !== 0; slot = consumer.peek()) {
      seen.push(words[slot + 1]);
      consumer.next();
    }
    expect(seen).toEqual([10, 20, 30]);
  });

  test('gives slots back only when they are released', () => {
    const { producer, consumer } = open();
    for (let i = 0; i < 4; i++) producer.claim();
    producer.publish();
    consumer.peek();
    consumer.next();
    expect(producer.claim()).toBe(0);
    consumer.release();
    expect(producer.claim()).not.toBe(0);
    expect(producer.claim()).toBe(0);
  });

  test('fills and empties in runs that stop at the end of the ring', () => {
    const { producer, consumer } = open();
    const first = (start & 3) as number;
    const straight = 4 - first;
    const slot = producer.claim();
    expect(1 + producer.claimMore(9)).toBe(straight);
    expect(producer.claimMore(0)).toBe(0);
    producer.publish();
    expect(consumer.peek()).toBe(slot);
    expect(consumer.nextRun(0)).toBe(0);
    expect(consumer.nextRun(9)).toBe(straight);
    expect(consumer.peek()).toBe(0);
    consumer.release();
    producer.claim();
    expect(producer.claimMore(2)).toBe(2);
    expect(producer.claimMore(2)).toBe(1);
    expect(producer.claim()).toBe(0);
    expect(producer.claimMore(1)).toBe(0);
  });

  test('parks without sleeping while something is published, and for no longer than asked when nothing is', () => {
    const { producer, consumer } = open();
    producer.claim();
    producer.publish();
    consumer.park(60_000);
    consumer.peek();
    consumer.next();
    consumer.park(1);
    expect(consumer.peek()).toBe(0);
  });

  test('a consumer that parks gives back its slots first', () => {
    const { producer, consumer } = open();
    for (let i = 0; i < 4; i++) producer.claim();
    producer.publish();
    while (consumer.peek() !== 0) consumer.next();
    consumer.park(0);
    expect(producer.claim()).not.toBe(0);
  });
});

test('publishing or releasing nothing stores nothing', () => {
  const words = spscAt(5, 4, 1);
  const producer = new SpscProducer(words, BASE);
  const consumer = new SpscConsumer(words, BASE);
  words[BASE + SPSC_PROD] = 77;
  words[BASE + SPSC_CONS] = 77;
  producer.publish();
  consumer.release();
  expect(words[BASE + SPSC_PROD]).toBe(77);
  expect(words[BASE + SPSC_CONS]).toBe(77);
});

test('memory that holds no ring is not opened', () => {
  const words = sharedWords(1024);
  expect(() => new SpscProducer(words, BASE)).toThrow('SpscProducer: capacity = 0');
  expect(() => new SpscConsumer(words, BASE)).toThrow('SpscConsumer: capacity = 0');
});
