import { type Context, linearizable, type Region, scenario, type ThreadContext } from '@faultline/bench/explore';
import { initMpmc, MpmcConsumer, MpmcProducer, mpmcWords } from '@faultline/core/ring';
import { boundedQueue, POP, PUSH, recorded, turnQueue } from './queue-model.ts';
import { append, assertHandedOver, valuesOf } from './values.ts';

const CAPACITY = 2;
const memory: readonly Region[] = [
  {
    name: 'ring',
    words: mpmcWords(CAPACITY),
    fields: { PROD: 32, CONS: 64, 'slot[0].TURN': 96, 'slot[0].VALUE': 97, 'slot[1].TURN': 98, 'slot[1].VALUE': 99 },
  },
];
const setup = ({ words, at }: Context): void => initMpmc(words, at('ring'), CAPACITY);

/** Both ends of the ring, for a thread that does both. */
interface Ends {
  push(value: number): void;
  pop(): void;
}

function open(context: ThreadContext): Ends {
  const producer = new MpmcProducer(context.words, context.at('ring'));
  const consumer = new MpmcConsumer(context.words, context.at('ring'));
  return {
    push: (value) => void recorded(context, PUSH, value, () => (producer.push(value) ? 1 : 0)),
    pop: () => void recorded(context, POP, 0, () => consumer.pop()),
  };
}

export const mpmc = scenario(import.meta.url, {
  name: 'structures/mpmc',
  about:
    'Two threads push and pop: is it a queue of two, but for a slot that another is at that moment filling or emptying?',
  source: 'core/src/ring/mpmc.ts',
  memory,
  setup,
  threads: {
    alice: {
      open,
      run(_, ring: Ends) {
        ring.push(1);
        ring.push(2);
        ring.pop();
      },
    },
    bob: {
      open,
      run(_, ring: Ends) {
        ring.pop();
        ring.push(3);
        ring.pop();
      },
    },
  },
  history: linearizable(turnQueue(CAPACITY)),
});

const openProducer = ({ words, at }: Context): MpmcProducer => new MpmcProducer(words, at('ring'));
const openConsumer = ({ words, at }: Context): MpmcConsumer => new MpmcConsumer(words, at('ring'));
const pushed = (ring: MpmcProducer, value: number): number => (ring.push(value) ? value : 0);

export const mpmcThree = scenario(import.meta.url, {
  name: 'structures/mpmc-three',
  about: 'Two of three threads push and two pop, over the end of the ring: is any value lost, doubled or torn?',
  source: 'core/src/ring/mpmc.ts',
  memory,
  setup,
  threads: {
    alice: {
      open: openProducer,
      run: (_, ring: MpmcProducer) => append(pushed(ring, 1), pushed(ring, 2)),
    },
    bob: {
      open: (context): [MpmcProducer, MpmcConsumer] => [openProducer(context), openConsumer(context)],
      run: (_, [producer, consumer]: [MpmcProducer, MpmcConsumer]) => append(pushed(producer, 3), consumer.pop()),
    },
    carol: { open: openConsumer, run: (_, ring: MpmcConsumer) => append(ring.pop(), ring.pop()) },
  },
  check(context) {
    const { alice, bob, carol } = context.results;
    const rest = openConsumer(context);
    const taken = [bob % 10, ...valuesOf(carol), rest.pop(), rest.pop()].filter((value) => value !== 0);
    const went = valuesOf(append(alice, Math.floor(bob / 10))).filter((value) => value !== 0);
    assertHandedOver([went], taken.toSorted()); // consumers take in no order among themselves
  },
});

export const mpmcStrict = scenario(import.meta.url, {
  name: 'structures/mpmc-strict',
  about:
    'Is the ring a queue without that exception? It is not: a stopped producer hides the value that another has pushed.',
  source: 'core/src/ring/mpmc.ts',
  designs: { 'as a strict queue': 'fails' },
  memory,
  setup,
  threads: {
    alice: { open, run: (_, ring: Ends) => ring.push(1) },
    bob: {
      open,
      run(_, ring: Ends) {
        ring.push(2);
        ring.pop();
      },
    },
  },
  history: linearizable(boundedQueue(CAPACITY)),
});
