import {
  initMpmc,
  initMpsc,
  initSpmc,
  initSpsc,
  MpmcConsumer,
  MpmcProducer,
  MpscConsumer,
  MpscProducer,
  mpmcWords,
  mpscWords,
  SpmcConsumer,
  SpmcProducer,
  SpscConsumer,
  SpscProducer,
  spmcWords,
  spscWords,
} from '@faultline/core';
import { OPERATIONS, type Subject, wordsFor } from './subject.ts';

const CAPACITY = 1024;
const BATCH = 64;
const into = new Int32Array(BATCH);

function spsc(producer: SpscProducer, consumer: SpscConsumer): void {
  for (let i = 0; i < OPERATIONS; i += BATCH) {
    for (let k = 0; k < BATCH; k++) producer.claim();
    producer.publish();
    while (consumer.peek() !== 0) consumer.next();
    consumer.release();
  }
}
function spscSingle(producer: SpscProducer, consumer: SpscConsumer): void {
  for (let i = 0; i < OPERATIONS; i++) {
    producer.claim();
    producer.publish();
    if (consumer.peek() !== 0) consumer.next();
    consumer.release();
  }
}
function mpsc(producer: MpscProducer, consumer: MpscConsumer): void {
  for (let i = 0; i < OPERATIONS; i++) {
    producer.publish(producer.claim());
    if (consumer.peek() !== 0) consumer.next();
    consumer.release();
  }
}
function spmc(producer: SpmcProducer, consumer: SpmcConsumer): void {
  for (let i = 0; i < OPERATIONS; i += BATCH) {
    for (let k = 0; k < BATCH; k++) producer.push(k + 1);
    producer.publish();
    consumer.take(into, BATCH);
  }
}
function mpmc(producer: MpmcProducer, consumer: MpmcConsumer): void {
  for (let i = 0; i < OPERATIONS; i++) {
    producer.push(i + 1);
    consumer.pop();
  }
}

/** What a slot costs where both ends are on one thread, so that no cache line moves. The payload is left alone. */
export const rings: Subject = {
  name: 'rings',
  costs() {
    const one = wordsFor(spscWords(CAPACITY, 8));
    initSpsc(one.words, one.base, CAPACITY, 8);
    const spscEnds = [new SpscProducer(one.words, one.base), new SpscConsumer(one.words, one.base)] as const;
    const two = wordsFor(mpscWords(CAPACITY, 7));
    initMpsc(two.words, two.base, CAPACITY, 7);
    const mpscEnds = [new MpscProducer(two.words, two.base), new MpscConsumer(two.words, two.base)] as const;
    const three = wordsFor(spmcWords(CAPACITY));
    initSpmc(three.words, three.base, CAPACITY);
    const spmcEnds = [new SpmcProducer(three.words, three.base), new SpmcConsumer(three.words, three.base)] as const;
    const four = wordsFor(mpmcWords(CAPACITY));
    initMpmc(four.words, four.base, CAPACITY);
    const mpmcEnds = [new MpmcProducer(four.words, four.base), new MpmcConsumer(four.words, four.base)] as const;
    return [
      { name: `SPSC slot there and back, ${BATCH} a publish`, operations: OPERATIONS, run: () => spsc(...spscEnds) },
      { name: 'SPSC slot there and back, 1 a publish', operations: OPERATIONS, run: () => spscSingle(...spscEnds) },
      { name: 'MPSC slot there and back', operations: OPERATIONS, run: () => mpsc(...mpscEnds) },
      { name: `SPMC value there and back, ${BATCH} a publish`, operations: OPERATIONS, run: () => spmc(...spmcEnds) },
      { name: 'MPMC value there and back', operations: OPERATIONS, run: () => mpmc(...mpmcEnds) },
    ];
  },
};
