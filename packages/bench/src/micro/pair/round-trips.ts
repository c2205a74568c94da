import { initSpsc, LINE, SpscConsumer, SpscProducer, spscWords } from '@faultline/core';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';

const CAPACITY = 64;
const WIDTH = 8;
const THERE = 0;
const BACK = LINE;
const RING_WORDS = spscWords(CAPACITY, WIDTH);

function spinUntil({ words }: Bench, at: number, value: number): void {
  for (let looks = 0; Atomics.load(words, at) !== value; ) if (++looks > LOOKS) looks = standBy(words);
}

/** One word on its own line goes there and back; both sides look at nothing else. */
function spinFirst(bench: Bench): number {
  const { words, base, items } = bench;
  const began = Atomics.load(words, base + BACK);
  for (let i = 1; i <= items; i++) {
    Atomics.store(words, base + THERE, (began + i) | 0);
    spinUntil(bench, base + BACK, (began + i) | 0);
  }
  return 0;
}
function spinSecond(bench: Bench): number {
  const { words, base, items } = bench;
  const began = Atomics.load(words, base + BACK);
  for (let i = 1; i <= items; i++) {
    spinUntil(bench, base + THERE, (began + i) | 0);
    Atomics.store(words, base + BACK, (began + i) | 0);
  }
  return items;
}

function sleepFirst({ words, base, items }: Bench): number {
  const began = Atomics.load(words, base + BACK);
  for (let i = 1; i <= items; i++) {
    Atomics.store(words, base + THERE, (began + i) | 0);
    Atomics.notify(words, base + THERE, 1);
    Atomics.wait(words, base + BACK, (began + i - 1) | 0);
  }
  return 0;
}
function sleepSecond({ words, base, items }: Bench): number {
  const began = Atomics.load(words, base + BACK);
  for (let i = 1; i <= items; i++) {
    Atomics.wait(words, base + THERE, (began + i - 1) | 0);
    Atomics.store(words, base + BACK, (began + i) | 0);
    Atomics.notify(words, base + BACK, 1);
  }
  return items;
}

async function asyncFirst({ words, base, items }: Bench): Promise<number> {
  const began = Atomics.load(words, base + BACK);
  for (let i = 1; i <= items; i++) {
    Atomics.store(words, base + THERE, (began + i) | 0);
    Atomics.notify(words, base + THERE, 1);
    const sleep = Atomics.waitAsync(words, base + BACK, (began + i - 1) | 0);
    if (sleep.async) await sleep.value;
  }
  return 0;
}
async function asyncSecond({ words, base, items }: Bench): Promise<number> {
  const began = Atomics.load(words, base + BACK);
  for (let i = 1; i <= items; i++) {
    const sleep = Atomics.waitAsync(words, base + THERE, (began + i - 1) | 0);
    if (sleep.async) await sleep.value;
    Atomics.store(words, base + BACK, (began + i) | 0);
    Atomics.notify(words, base + BACK, 1);
  }
  return items;
}

/** Sends a record of eight words. The other ring's is awaited before the next, so this one is never full. */
function send(bench: Bench, producer: SpscProducer, value: number): void {
  const at = producer.claim();
  for (let k = 0; k < WIDTH; k++) bench.words[at + k] = value + k;
  producer.publish();
}
/** @returns the record's sum, less what it must be: 0. */
function receive(bench: Bench, consumer: SpscConsumer, value: number, parks: boolean): number {
  let at = consumer.peek();
  for (let looks = 0; at === 0; at = consumer.peek()) {
    if (parks) consumer.park(1000);
    else if (++looks > LOOKS) looks = standBy(bench.words);
  }
  let wrong = -WIDTH * value - (WIDTH * (WIDTH - 1)) / 2;
  for (let k = 0; k < WIDTH; k++) wrong += bench.words[at + k];
  consumer.next();
  consumer.release();
  return wrong;
}
function ringFirst(bench: Bench, parks: boolean): number {
  const producer = new SpscProducer(bench.words, bench.base);
  const consumer = new SpscConsumer(bench.words, bench.base + RING_WORDS);
  for (let i = 0; i < bench.items; i++) {
    send(bench, producer, i);
    receive(bench, consumer, i, parks);
  }
  return 0;
}
function ringSecond(bench: Bench, parks: boolean): number {
  const consumer = new SpscConsumer(bench.words, bench.base);
  const producer = new SpscProducer(bench.words, bench.base + RING_WORDS);
  let wrong = 0;
  for (let i = 0; i < bench.items; i++) {
    wrong += receive(bench, consumer, i, parks);
    send(bench, producer, i);
  }
  return bench.items + wrong;
}

const word = { kind: 'round trip', words: 2 * LINE, check: (items) => items } satisfies Partial<PairCase>;
const rings = {
  kind: 'round trip',
  words: 2 * RING_WORDS,
  init(words, base) {
    initSpsc(words, base, CAPACITY, WIDTH);
    initSpsc(words, base + RING_WORDS, CAPACITY, WIDTH);
  },
  check: (items) => items,
} satisfies Partial<PairCase>;

export const RING_PARKING = 'record through SPSC rings, sleeping';

export const roundTripCases: readonly PairCase[] = [
  { ...word, name: 'one cache line, both spin', sides: [spinFirst, spinSecond] },
  {
    ...rings,
    name: 'record through SPSC rings, both spin',
    sides: [(bench) => ringFirst(bench, false), (bench) => ringSecond(bench, false)],
  },
  { ...word, name: 'Atomics.wait and notify', sides: [sleepFirst, sleepSecond] },
  {
    ...rings,
    name: RING_PARKING,
    sides: [(bench) => ringFirst(bench, true), (bench) => ringSecond(bench, true)],
  },
  { ...word, name: 'Atomics.waitAsync and notify', sides: [asyncFirst, asyncSecond] },
];
