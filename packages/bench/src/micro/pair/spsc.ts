import { initSpsc, SpscConsumer, SpscProducer, spscWords } from '@faultline/core';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';
import { recordsSum } from './records.ts';

const CAPACITY = 4096;
const BATCH = 256;
const WIDTH = 8;

function fillInRuns({ words, base, items }: Bench): number {
  const producer = new SpscProducer(words, base);
  for (let i = 0, looks = 0; i < items; ) {
    let at = producer.claim();
    if (at === 0) {
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    const end = at + (1 + producer.claimMore(Math.min(BATCH, items - i) - 1)) * WIDTH;
    for (; at < end; at += WIDTH, i++) {
      words[at] = i;
      words[at + 1] = i + 1;
      words[at + 2] = i + 2;
      words[at + 3] = i + 3;
      words[at + 4] = i + 4;
      words[at + 5] = i + 5;
      words[at + 6] = i + 6;
      words[at + 7] = i + 7;
    }
    producer.publish();
  }
  return 0;
}

function emptyInRuns({ words, base, items }: Bench): number {
  const consumer = new SpscConsumer(words, base);
  let sum = 0;
  for (let i = 0, looks = 0; i < items; ) {
    let at = consumer.peek();
    if (at === 0) {
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    const count = consumer.nextRun(BATCH);
    for (const end = at + count * WIDTH; at < end; at += WIDTH)
      sum =
        (sum +
          words[at] +
          words[at + 1] +
          words[at + 2] +
          words[at + 3] +
          words[at + 4] +
          words[at + 5] +
          words[at + 6] +
          words[at + 7]) |
        0;
    i += count;
    consumer.release();
  }
  return sum;
}

/** Slot by slot, published when `batch` are filled or the ring is full. */
function fill({ words, base, items }: Bench, batch: number): number {
  const producer = new SpscProducer(words, base);
  for (let i = 0, looks = 0; i < items; ) {
    const at = producer.claim();
    if (at === 0) {
      producer.publish();
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    words[at] = i;
    words[at + 1] = i + 1;
    words[at + 2] = i + 2;
    words[at + 3] = i + 3;
    words[at + 4] = i + 4;
    words[at + 5] = i + 5;
    words[at + 6] = i + 6;
    words[at + 7] = i + 7;
    i++;
    if (producer.pending === batch) producer.publish();
  }
  producer.publish();
  return 0;
}

/** Slot by slot, released when `batch` are read or the ring is empty. */
function empty({ words, base, items }: Bench, batch: number): number {
  const consumer = new SpscConsumer(words, base);
  let sum = 0;
  for (let i = 0, looks = 0, held = 0; i < items; ) {
    const at = consumer.peek();
    if (at === 0) {
      consumer.release();
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    sum =
      (sum +
        words[at] +
        words[at + 1] +
        words[at + 2] +
        words[at + 3] +
        words[at + 4] +
        words[at + 5] +
        words[at + 6] +
        words[at + 7]) |
      0;
    i++;
    consumer.next();
    if (++held === batch) {
      consumer.release();
      held = 0;
    }
  }
  consumer.release();
  return sum;
}

const ring = {
  kind: 'throughput',
  words: spscWords(CAPACITY, WIDTH),
  init: (words, base) => initSpsc(words, base, CAPACITY, WIDTH),
  check: (items) => recordsSum(items, WIDTH),
} satisfies Partial<PairCase>;

export const SPSC_IN_RUNS: string = `SPSC ring, runs of up to ${BATCH}`;
export const SPSC_SINGLE = 'SPSC ring, 1 a publish';

export const spscCases: readonly PairCase[] = [
  { ...ring, name: SPSC_IN_RUNS, sides: [fillInRuns, emptyInRuns] },
  {
    ...ring,
    name: `SPSC ring, slot by slot, ${BATCH} a publish`,
    sides: [(bench) => fill(bench, BATCH), (bench) => empty(bench, BATCH)],
  },
  { ...ring, name: SPSC_SINGLE, sides: [(bench) => fill(bench, 1), (bench) => empty(bench, 1)] },
];
