import { initMpsc, MpscConsumer, MpscProducer, mpscWords } from '@faultline/core';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';
import { recordsSum } from './records.ts';

const CAPACITY = 4096;
const BATCH = 64; // slots a release: the consumer's side alone can be batched
const WIDTH = 7; // and a commit word: a slot is 32 bytes

function fill({ words, base, items }: Bench): number {
  const producer = new MpscProducer(words, base);
  for (let i = 0, looks = 0; i < items; ) {
    const at = producer.claim();
    if (at === 0) {
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
    producer.publish(at);
    i++;
  }
  return 0;
}

function empty({ words, base, items }: Bench): number {
  const consumer = new MpscConsumer(words, base);
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
        words[at + 6]) |
      0;
    i++;
    consumer.next();
    if (++held === BATCH) {
      consumer.release();
      held = 0;
    }
  }
  consumer.release();
  return sum;
}

export const mpscCases: readonly PairCase[] = [
  {
    name: 'MPSC ring',
    kind: 'throughput',
    words: mpscWords(CAPACITY, WIDTH),
    init: (words, base) => initMpsc(words, base, CAPACITY, WIDTH),
    sides: [fill, empty],
    check: (items) => recordsSum(items, WIDTH),
  },
];
