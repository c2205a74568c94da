import {
  initMpmc,
  initSpmc,
  MpmcConsumer,
  MpmcProducer,
  mpmcWords,
  SpmcConsumer,
  SpmcProducer,
  spmcWords,
} from '@faultline/core';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';
import { valuesSum } from './records.ts';

const CAPACITY = 4096;
const into = new Int32Array(64);

function handOut({ words, base, items }: Bench, batch: number): number {
  const producer = new SpmcProducer(words, base);
  for (let value = 1, looks = 0; value <= items; ) {
    if (!producer.push(value)) {
      producer.publish();
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    value++;
    if (producer.pending === batch) producer.publish();
  }
  producer.publish();
  return 0;
}

function take({ words, base, items }: Bench, batch: number): number {
  const consumer = new SpmcConsumer(words, base);
  let sum = 0;
  for (let taken = 0, looks = 0; taken < items; ) {
    const count = consumer.take(into, batch);
    if (count === 0) {
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    for (let k = 0; k < count; k++) sum = (sum + into[k]) | 0;
    taken += count;
  }
  return sum;
}

function push({ words, base, items }: Bench): number {
  const producer = new MpmcProducer(words, base);
  for (let value = 1, looks = 0; value <= items; ) {
    if (producer.push(value)) {
      value++;
      looks = 0;
    } else if (++looks > LOOKS) looks = standBy(words);
  }
  return 0;
}

function pop({ words, base, items }: Bench): number {
  const consumer = new MpmcConsumer(words, base);
  let sum = 0;
  for (let taken = 0, looks = 0; taken < items; ) {
    const value = consumer.pop();
    if (value !== 0) {
      sum = (sum + value) | 0;
      taken++;
      looks = 0;
    } else if (++looks > LOOKS) looks = standBy(words);
  }
  return sum;
}

const workRing = {
  kind: 'throughput',
  words: spmcWords(CAPACITY),
  init: (words, base) => initSpmc(words, base, CAPACITY),
  check: valuesSum,
} satisfies Partial<PairCase>;

export const valueCases: readonly PairCase[] = [
  {
    ...workRing,
    name: 'SPMC work ring, 64 a publish and a take',
    sides: [(bench) => handOut(bench, 64), (bench) => take(bench, 64)],
  },
  {
    ...workRing,
    name: 'SPMC work ring, 1 a publish and a take',
    sides: [(bench) => handOut(bench, 1), (bench) => take(bench, 1)],
  },
  {
    name: 'MPMC ring',
    kind: 'throughput',
    words: mpmcWords(CAPACITY),
    init: (words, base) => initMpmc(words, base, CAPACITY),
    sides: [push, pop],
    check: valuesSum,
  },
];
