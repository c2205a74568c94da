import { type Context, linearizable, type Region, scenario, type ThreadContext } from '@faultline/bench/explore';
import { initSpsc, SpscConsumer, SpscProducer, spscWords } from '@faultline/core/ring';
import { boundedQueue, POP, PUSH, recorded } from './queue-model.ts';
import { append, fill, read, valuesOf } from './values.ts';

const CAPACITY = 2;
const SLOT_WORDS = 2;
const RUNS_CAPACITY = 4;
const fields = { PROD: 32, CONS: 64, PARKED: 96, 'slot[0]': 128, 'slot[1]': 130, 'slot[2]': 132, 'slot[3]': 134 };
const memory: readonly Region[] = [{ name: 'ring', words: spscWords(CAPACITY, SLOT_WORDS), fields }];
const setup = ({ words, at }: Context): void => initSpsc(words, at('ring'), CAPACITY, SLOT_WORDS);
const openProducer = ({ words, at }: ThreadContext): SpscProducer => new SpscProducer(words, at('ring'));
const openConsumer = ({ words, at, self }: ThreadContext): SpscConsumer => new SpscConsumer(words, at('ring'), self);

function push({ words }: ThreadContext, ring: SpscProducer, value: number): number {
  const slot = ring.claim();
  if (slot === 0) return 0;
  fill(words, slot, value);
  ring.publish();
  return 1;
}

function pop({ words }: ThreadContext, ring: SpscConsumer): number {
  const slot = ring.peek();
  if (slot === 0) return 0;
  const value = read(words, slot);
  ring.next();
  ring.release();
  return value;
}

export const spsc = scenario(import.meta.url, {
  name: 'structures/spsc',
  about: 'One thread pushes, one pops, over the end of the ring: is it a queue of two, whatever either answers?',
  source: 'core/src/ring/spsc.ts',
  memory,
  setup,
  threads: {
    producer: {
      open: openProducer,
      run(context, ring: SpscProducer) {
        for (let value = 1; value <= 4; value++) recorded(context, PUSH, value, () => push(context, ring, value));
      },
    },
    consumer: {
      open: openConsumer,
      run(context, ring: SpscConsumer) {
        for (let i = 0; i < 3; i++) recorded(context, POP, 0, () => pop(context, ring));
      },
    },
  },
  history: linearizable(boundedQueue(CAPACITY)),
});

export const spscRuns = scenario(import.meta.url, {
  name: 'structures/spsc-runs',
  about:
    'Slots are claimed, published, read and released several at a time: does every value arrive once, whole, in order?',
  source: 'core/src/ring/spsc.ts',
  memory: [{ name: 'ring', words: spscWords(RUNS_CAPACITY, SLOT_WORDS), fields }],
  setup: ({ words, at }) => initSpsc(words, at('ring'), RUNS_CAPACITY, SLOT_WORDS),
  threads: {
    producer: {
      open: openProducer,
      run({ words }, ring: SpscProducer) {
        let value = 0;
        for (let round = 0; round < 3; round++) {
          const slot = ring.claim();
          if (slot === 0) continue;
          const more = ring.claimMore(2);
          for (let i = 0; i <= more; i++) fill(words, slot + i * SLOT_WORDS, ++value);
          ring.publish();
        }
        return value;
      },
    },
    consumer: {
      open: openConsumer,
      run({ words }, ring: SpscConsumer) {
        let taken = 0;
        for (let round = 0; round < 3; round++) {
          const slot = ring.peek();
          if (slot === 0) continue;
          const run = ring.nextRun(2);
          for (let i = 0; i < run; i++) taken = append(taken, read(words, slot + i * SLOT_WORDS));
          ring.release();
        }
        return taken;
      },
    },
  },
  check({ words, at, results }) {
    const rest = new SpscConsumer(words, at('ring'));
    const taken = valuesOf(results.consumer);
    for (let slot = rest.peek(); slot !== 0 && taken.length < results.producer; slot = rest.peek()) {
      taken.push(read(words, slot));
      rest.next();
    }
    for (let i = 0; i < Math.max(taken.length, results.producer); i++)
      if (taken[i] !== i + 1) throw new Error(`published 1 to ${results.producer}, taken ${taken.join(' ')}`);
  },
});

export const spscPark = scenario(import.meta.url, {
  name: 'structures/spsc-park',
  about:
    'The consumer sleeps on an empty ring, the producer comes back to a full one: does a published slot ever stay slept on?',
  source: 'core/src/ring/spsc.ts',
  memory,
  setup,
  threads: {
    producer: {
      open: openProducer,
      run(context, ring: SpscProducer) {
        for (let value = 1; value <= 3; value++) while (push(context, ring, value) === 0);
      },
    },
    consumer: {
      open: openConsumer,
      run({ words }, ring: SpscConsumer) {
        for (let value = 1; value <= 3; value++) {
          let slot = ring.peek();
          for (; slot === 0; slot = ring.peek()) ring.park(Number.POSITIVE_INFINITY); // releases what was stepped over
          const found = read(words, slot);
          if (found !== value) throw new Error(`found ${found}, not ${value}`);
          ring.next();
        }
      },
    },
  },
});
