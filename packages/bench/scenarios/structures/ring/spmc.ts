import { type Context, linearizable, type Region, scenario, type ThreadContext } from '@faultline/bench/explore';
import { initSpmc, SpmcConsumer, SpmcProducer, spmcWords } from '@faultline/core/ring';
import { boundedQueue, POP, PUSH, recorded } from './queue-model.ts';
import { append, assertHandedOver, valuesOf } from './values.ts';

const CAPACITY = 2;
const memory: readonly Region[] = [
  {
    name: 'ring',
    words: spmcWords(CAPACITY),
    fields: { PROD: 32, CONS: 64, PARKED: 96, 'slot[0]': 128, 'slot[1]': 129 },
  },
];
const setup = ({ words, at }: Context): void => initSpmc(words, at('ring'), CAPACITY);
const openProducer = ({ words, at }: Context): SpmcProducer => new SpmcProducer(words, at('ring'));

/** A consumer that takes up to `max` values at a time. */
class Taker {
  readonly #ring: SpmcConsumer;
  readonly #into: Int32Array;

  constructor({ words, at, self }: ThreadContext, max: number) {
    this.#ring = new SpmcConsumer(words, at('ring'), self);
    this.#into = new Int32Array(max);
  }

  /** @returns the values taken, as one number. */
  take(): number {
    const count = this.#ring.take(this.#into, this.#into.length);
    return this.#into.subarray(0, count).reduce(append, 0);
  }

  takeOrPark(): number {
    for (;;) {
      const taken = this.take();
      if (taken !== 0) return taken;
      this.#ring.park(Number.POSITIVE_INFINITY);
    }
  }
}

function push(ring: SpmcProducer, value: number): number {
  if (!ring.push(value)) return 0;
  ring.publish();
  return 1;
}

export const spmc = scenario(import.meta.url, {
  name: 'structures/spmc',
  about: 'One thread pushes, one takes, over the end of the ring: is it a queue of two, whatever either answers?',
  source: 'core/src/ring/spmc.ts',
  memory,
  setup,
  threads: {
    producer: {
      open: openProducer,
      run(context, ring: SpmcProducer) {
        for (let value = 1; value <= 3; value++) recorded(context, PUSH, value, () => push(ring, value));
      },
    },
    consumer: {
      open: (context): Taker => new Taker(context, 1),
      run(context, ring: Taker) {
        for (let i = 0; i < 3; i++) recorded(context, POP, 0, () => ring.take());
      },
    },
  },
  history: linearizable(boundedQueue(CAPACITY)),
});

export const spmcStale = scenario(import.meta.url, {
  name: 'structures/spmc-stale',
  about:
    'Two consumers read what they have not claimed yet, and the producer writes over it: is a stale value ever handed out?',
  source: 'core/src/ring/spmc.ts',
  memory,
  setup(context) {
    setup(context);
    const ring = openProducer(context);
    ring.push(1);
    ring.push(2);
    ring.publish();
  },
  threads: {
    producer: {
      open: openProducer,
      run: (_, ring: SpmcProducer) =>
        [3, 4, 5].reduce((all, value) => (push(ring, value) ? append(all, value) : all), 0),
    },
    alice: { open: (context): Taker => new Taker(context, 2), run: (_, ring: Taker) => ring.take() },
    bob: { open: (context): Taker => new Taker(context, 1), run: (_, ring: Taker) => ring.take() },
  },
  check(context) {
    const { producer, alice, bob } = context.results;
    const rest = new SpmcConsumer(context.words, context.at('ring'));
    const into = new Int32Array(CAPACITY);
    const left = [...into.subarray(0, rest.take(into, CAPACITY))];
    const taken = [...valuesOf(alice), ...valuesOf(bob)].toSorted(); // consumers take in no order among themselves
    assertHandedOver([[1, 2, ...valuesOf(producer)]], [...taken, ...left]);
  },
});

export const spmcPark = scenario(import.meta.url, {
  name: 'structures/spmc-park',
  about: 'Two consumers sleep, two values are published one by one: does either sleep while there is one for it?',
  source: 'core/src/ring/spmc.ts',
  memory,
  setup,
  threads: {
    producer: {
      open: openProducer,
      run(_, ring: SpmcProducer) {
        push(ring, 1);
        push(ring, 2);
      },
    },
    alice: { open: (context): Taker => new Taker(context, 1), run: (_, ring: Taker) => ring.takeOrPark() },
    bob: { open: (context): Taker => new Taker(context, 1), run: (_, ring: Taker) => ring.takeOrPark() },
  },
});

export const spmcParkTogether = scenario(import.meta.url, {
  name: 'structures/spmc-park-together',
  about: 'Two consumers sleep, two values are published with one store: are both woken?',
  source: 'core/src/ring/spmc.ts',
  memory,
  setup,
  threads: {
    producer: {
      open: openProducer,
      run(_, ring: SpmcProducer) {
        ring.push(1);
        ring.push(2);
        ring.publish();
      },
    },
    alice: { open: (context): Taker => new Taker(context, 1), run: (_, ring: Taker) => ring.takeOrPark() },
    bob: { open: (context): Taker => new Taker(context, 1), run: (_, ring: Taker) => ring.takeOrPark() },
  },
});
