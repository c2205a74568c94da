// One side of a ring, as a thread. Producers send numbered items and wait for room; consumers gather until they have seen the
// end: a count, or, where many consume, a value of END for each of them.
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../memory/arena.ts';
import { randomFrom, startTogether, type TestTask } from '../sync/run-workers.test-help.ts';
import { MpmcConsumer, MpmcProducer } from './mpmc.ts';
import { MpscConsumer, MpscProducer } from './mpsc.ts';
import { SpmcConsumer, SpmcProducer } from './spmc.ts';
import { SpscConsumer, SpscProducer } from './spsc.ts';

const END = 0x7fffffff;
const FOR_GOOD_MS = 60_000; // longer than a group of workers may take: a wake-up lost is a worker that never reports
const { role, arena: shared, id, threads, rounds, spins, seed, option } = workerData as TestTask;
const arena = Arena.open(shared);
const { words } = arena;
const ring = arena.base('ring');
const random = randomFrom(seed, id);
const got: number[] = [];
let torn = 0;

/** Gives the processor up: the other side needs it, and may share ours. */
function waitForOthers(): void {
  Atomics.wait(words, arena.base('never'), 0, 0.05);
}

const roles: Record<string, () => void> = {
  spscProducer() {
    const producer = new SpscProducer(words, ring);
    for (let item = 1; item <= rounds; ) {
      for (let batch = 1 + (random() % option); batch > 0 && item <= rounds; batch--) {
        const slot = producer.claim();
        if (slot === 0) break;
        words[slot] = item;
        words[slot + 1] = ~item;
        item++;
      }
      if (producer.pending === 0) waitForOthers();
      producer.publish();
    }
  },
  spscConsumer() {
    const consumer = new SpscConsumer(words, ring, { id, spins });
    while (got.length < rounds) {
      for (let slot = consumer.peek(); slot !== 0; slot = consumer.peek()) {
        got.push(words[slot]);
        if (words[slot + 1] !== ~words[slot]) torn++;
        consumer.next();
        if (random() % option === 0) consumer.release();
      }
      if (got.length < rounds) consumer.park(FOR_GOOD_MS);
    }
  },
  mpscProducer() {
    const producer = new MpscProducer(words, ring);
    for (let item = 1; item <= rounds; ) {
      const slot = producer.claim();
      if (slot === 0) {
        waitForOthers();
        continue;
      }
      words[slot] = id * 2 ** 24 + item;
      words[slot + 1] = ~words[slot];
      producer.publish(slot);
      item++;
    }
  },
  mpscConsumer() {
    const consumer = new MpscConsumer(words, ring, { id, spins });
    const all = rounds * (threads - 1);
    while (got.length < all) {
      for (let slot = consumer.peek(); slot !== 0; slot = consumer.peek()) {
        got.push(words[slot]);
        if (words[slot + 1] !== ~words[slot]) torn++;
        consumer.next();
        if (random() % option === 0) consumer.release();
      }
      if (got.length < all) consumer.park(FOR_GOOD_MS);
    }
  },
  spmcProducer() {
    const producer = new SpmcProducer(words, ring);
    const send = (value: number) => {
      while (!producer.push(value)) {
        producer.publish();
        waitForOthers();
      }
      if (random() % option === 0) producer.publish();
    };
    for (let item = 1; item <= rounds; item++) send(item);
    for (let ends = (threads - 1) * option; ends > 0; ends--) send(END); // each consumer takes `option` of them at most
    producer.publish();
  },
  spmcConsumer() {
    const consumer = new SpmcConsumer(words, ring, { id, spins });
    const into = new Int32Array(option);
    for (;;) {
      const count = consumer.take(into, 1 + (random() % option));
      const end = into.subarray(0, count).indexOf(END);
      got.push(...into.subarray(0, end < 0 ? count : end));
      if (end >= 0) return;
      if (count === 0) consumer.park(FOR_GOOD_MS);
    }
  },
  mpmcProducer() {
    const producer = new MpmcProducer(words, ring);
    const send = (value: number) => {
      while (!producer.push(value)) waitForOthers();
    };
    for (let item = 1; item <= rounds; item++) send(id * 2 ** 24 + item);
    if (id <= threads / 2) send(END);
  },
  mpmcConsumer() {
    const consumer = new MpmcConsumer(words, ring);
    for (let value = consumer.pop(); value !== END; value = consumer.pop()) {
      if (value === 0) waitForOthers();
      else got.push(value);
    }
  },
};

startTogether(words, arena.base('start'), threads);
roles[role]();
parentPort?.postMessage({ got: Int32Array.from(got), torn });
