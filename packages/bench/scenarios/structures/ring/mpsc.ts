import {
  type Context,
  linearizable,
  type Region,
  scenario,
  type ThreadContext,
  type Words,
} from '@faultline/bench/explore';
import { initMpsc, MpscConsumer, MpscProducer, mpscWords } from '@faultline/core/ring';
import { boundedQueue, CLAIM, claimQueue, POP, PUBLISH, PUSH, recorded } from './queue-model.ts';
import { append, assertHandedOver, fill, read, valuesOf } from './values.ts';

const CAPACITY = 2;
const SLOT_WORDS = 2; // and the commit word: four words a slot
const memory: readonly Region[] = [
  {
    name: 'ring',
    words: mpscWords(CAPACITY, SLOT_WORDS),
    fields: {
      PROD: 32,
      CONS: 64,
      PARKED: 96,
      'slot[0].COMMIT': 128,
      'slot[0]': 129,
      'slot[0]+1': 130,
      'slot[1].COMMIT': 132,
      'slot[1]': 133,
      'slot[1]+1': 134,
    },
  },
];
const setup = ({ words, at }: Context): void => initMpsc(words, at('ring'), CAPACITY, SLOT_WORDS);
const openProducer = ({ words, at }: Context): MpscProducer => new MpscProducer(words, at('ring'));
const openConsumer = ({ words, at, self }: ThreadContext): MpscConsumer => new MpscConsumer(words, at('ring'), self);

function push(words: Words, ring: MpscProducer, value: number): number {
  const slot = ring.claim();
  if (slot === 0) return 0;
  fill(words, slot, value);
  ring.publish(slot);
  return 1;
}

function pop(words: Words, ring: MpscConsumer): number {
  const slot = ring.peek();
  if (slot === 0) return 0;
  const value = read(words, slot);
  ring.next();
  ring.release();
  return value;
}

/** Tries to push some values. @returns those that went in. */
function pushAll(words: Words, ring: MpscProducer, values: readonly number[]): number {
  let pushed = 0;
  for (const value of values) if (push(words, ring, value) === 1) pushed = append(pushed, value);
  return pushed;
}

export const mpsc = scenario(import.meta.url, {
  name: 'structures/mpsc',
  about:
    'Two producers and a consumer, over the end of the ring: is any value lost, doubled, torn or out of its order?',
  source: 'core/src/ring/mpsc.ts',
  memory,
  setup,
  threads: {
    alice: { open: openProducer, run: ({ words }, ring: MpscProducer) => pushAll(words, ring, [1, 2]) },
    bob: { open: openProducer, run: ({ words }, ring: MpscProducer) => pushAll(words, ring, [3, 4]) },
    consumer: {
      open: openConsumer,
      run({ words }, ring: MpscConsumer) {
        let taken = 0;
        for (let i = 0; i < 3; i++) {
          const value = pop(words, ring);
          if (value !== 0) taken = append(taken, value);
        }
        return taken;
      },
    },
  },
  check({ words, at, results }) {
    const taken = valuesOf(results.consumer);
    const rest = new MpscConsumer(words, at('ring'));
    for (let value = pop(words, rest); value !== 0; value = pop(words, rest)) taken.push(value);
    assertHandedOver([valuesOf(results.alice), valuesOf(results.bob)], taken);
  },
});

export const mpscClaims = scenario(import.meta.url, {
  name: 'structures/mpsc-claims',
  about:
    'Claim, publish and pop, each an operation of its own: is it a queue of two in which an unpublished slot holds up others?',
  source: 'core/src/ring/mpsc.ts',
  memory,
  setup,
  threads: {
    producer: {
      // Two senders in one thread, so that slots are published out of the order of their claims.
      open: (context): [MpscProducer, MpscProducer] => [openProducer(context), openProducer(context)],
      run(context, rings: [MpscProducer, MpscProducer]) {
        const slots = [0, 0, 0, 0];
        const claim = (value: number): number =>
          recorded(context, CLAIM, value, () => {
            slots[value] = rings[value % 2].claim();
            return slots[value] === 0 ? 0 : 1;
          });
        const publish = (value: number): number =>
          recorded(context, PUBLISH, value, () => {
            fill(context.words, slots[value], value);
            rings[value % 2].publish(slots[value]);
            return 1;
          });
        claim(1);
        claim(2);
        publish(2);
        publish(1);
        if (claim(3) === 1) publish(3);
      },
    },
    consumer: {
      open: openConsumer,
      run(context, ring: MpscConsumer) {
        for (let i = 0; i < 3; i++) recorded(context, POP, 0, () => pop(context.words, ring));
      },
    },
  },
  history: linearizable(claimQueue(CAPACITY)),
});

export const mpscFull = scenario(import.meta.url, {
  name: 'structures/mpsc-full',
  about: 'A claim reads PROD and CONS while both move: was the ring full at some moment of a claim that says so?',
  source: 'core/src/ring/mpsc.ts',
  memory,
  setup(context) {
    setup(context);
    pushAll(context.words, openProducer(context), [1, 2]);
  },
  threads: {
    alice: {
      open: openProducer, // sees the ring full, and so has to look again
      run: (context, ring: MpscProducer) => recorded(context, PUSH, 3, () => push(context.words, ring, 3)),
    },
    bobAndConsumer: {
      open: (context): [MpscProducer, MpscConsumer] => [openProducer(context), openConsumer(context)],
      run(context, [producer, consumer]: [MpscProducer, MpscConsumer]) {
        recorded(context, POP, 0, () => pop(context.words, consumer));
        recorded(context, POP, 0, () => pop(context.words, consumer));
        recorded(context, PUSH, 4, () => push(context.words, producer, 4));
      },
    },
  },
  history: linearizable(boundedQueue(CAPACITY, 1, 2)),
});

export const mpscPark = scenario(import.meta.url, {
  name: 'structures/mpsc-park',
  about:
    'The consumer sleeps on the slot it needs next while two producers fill the ring: is a published slot ever slept on?',
  source: 'core/src/ring/mpsc.ts',
  memory,
  setup,
  threads: {
    alice: { open: openProducer, run: ({ words }, ring: MpscProducer) => pushAll(words, ring, [1]) },
    bob: { open: openProducer, run: ({ words }, ring: MpscProducer) => pushAll(words, ring, [3]) },
    consumer: {
      open: openConsumer,
      run({ words }, ring: MpscConsumer) {
        for (let i = 0; i < 2; i++) while (pop(words, ring) === 0) ring.park(Number.POSITIVE_INFINITY);
      },
    },
  },
});

export const mpscParkFull = scenario(import.meta.url, {
  name: 'structures/mpsc-park-full',
  about:
    'The consumer sleeps with slots that it stepped over and did not release: does a producer wait for them for ever?',
  source: 'core/src/ring/mpsc.ts',
  memory,
  setup,
  threads: {
    producer: {
      open: openProducer,
      run({ words }, ring: MpscProducer) {
        for (let value = 1; value <= 3; value++) while (push(words, ring, value) === 0);
      },
    },
    consumer: {
      open: openConsumer,
      run({ words }, ring: MpscConsumer) {
        for (let value = 1; value <= 3; value++) {
          let slot = ring.peek();
          for (; slot === 0; slot = ring.peek()) ring.park(Number.POSITIVE_INFINITY);
          const found = read(words, slot);
          if (found !== value) throw new Error(`found ${found}, not ${value}`);
          ring.next();
        }
      },
    },
  },
});
