// Grace periods: what a reader that is online found is not freed under it, and whoever waits for readers is woken.
import { type Context, type Region, type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { initRcu, Rcu, RcuThread, rcuWords } from '@faultline/core/sync';
import { countFreed, guardFreed, OBJECTS, release, touch, use } from './rcu-objects.ts';

/** One link, which names object 1 to begin with, and another, which names object 2. */
function memory(threads: number): Region[] {
  const fields = { ASKED: 32, DONE: 64, WAITERS: 96, 'READER 1': 128, 'READER 2': 160 };
  return [
    { name: 'rcu', words: rcuWords(threads), fields },
    { name: 'first', words: 1 },
    { name: 'second', words: 1 },
    OBJECTS,
  ];
}

function layOut({ words, at }: Context, threads: number): void {
  initRcu(words, at('rcu'), threads);
  words[at('first')] = 1;
  words[at('second')] = 2;
}

const openReader = ({ words, at, self }: ThreadContext): RcuThread => new RcuThread(words, at('rcu'), self);
const openUpdater = ({ words, at }: ThreadContext): Rcu => new Rcu(words, at('rcu'));

/** Looks up what is linked, and uses it. */
function lookUp({ words, at }: Context, link: 'first' | 'second', useIt: typeof use = use): void {
  const found = Atomics.load(words, at(link));
  if (found !== 0) useIt(words, at('objects'), found);
}

/** Unlinks object 1, waits until nobody can hold it, and frees it. */
function unlinkAndFree({ words, at, self }: ThreadContext, rcu: Rcu): void {
  Atomics.store(words, at('first'), 0);
  rcu.synchronize(self);
  release(words, at('objects'), 1);
}

export const synchronize: Scenario = scenario(import.meta.url, {
  name: 'structures/rcu',
  about:
    'A reader looks up and uses, twice, while an updater unlinks, waits and frees: is anything used after it is freed?',
  source: 'core/src/sync/rcu.ts, synchronize',
  memory: memory(1),
  setup: (context) => layOut(context, 1),
  threads: {
    reader: {
      open: openReader,
      run(context, rcu: RcuThread) {
        rcu.online();
        lookUp(context, 'first');
        rcu.quiescent();
        lookUp(context, 'first');
        rcu.offline();
      },
    },
    updater: { open: openUpdater, run: unlinkAndFree },
  },
});

export const onlineAgain: Scenario = scenario(import.meta.url, {
  name: 'structures/rcu-online',
  about: 'A reader goes offline and comes back just as a grace period is asked for: can it still find what is freed?',
  source: 'core/src/sync/rcu.ts, online',
  memory: memory(1),
  setup: (context) => layOut(context, 1),
  guard: guardFreed,
  threads: {
    reader: {
      open: openReader,
      run(context, rcu: RcuThread) {
        for (let round = 0; round < 2; round++) {
          rcu.online();
          lookUp(context, 'first', touch);
          rcu.offline();
        }
      },
    },
    updater: { open: openUpdater, run: unlinkAndFree },
  },
});

interface Both {
  readonly reader: RcuThread;
  readonly rcu: Rcu;
}
const openBoth = (context: ThreadContext): Both => ({ reader: openReader(context), rcu: openUpdater(context) });

export const bothUpdate: Scenario = scenario(import.meta.url, {
  name: 'structures/rcu-both',
  about: 'Two online readers synchronise at once: do they wait for each other, and are they readers again afterwards?',
  source: 'core/src/sync/rcu.ts, synchronize',
  memory: memory(2),
  setup: (context) => layOut(context, 2),
  threads: {
    // What it found before it synchronised it no longer holds: it looks up again.
    alice: {
      open: openBoth,
      run(context, { reader, rcu }: Both) {
        reader.online();
        rcu.synchronize(context.self);
        lookUp(context, 'first');
        reader.offline();
      },
    },
    bob: {
      open: openBoth,
      run(context, { reader, rcu }: Both) {
        reader.online();
        unlinkAndFree(context, rcu);
        reader.offline();
      },
    },
  },
});

export const poll: Scenario = scenario(import.meta.url, {
  name: 'structures/rcu-poll',
  about:
    'An updater that never waits asks for two grace periods and frees what is due: is either found over too early?',
  source: 'core/src/sync/rcu.ts, laggard',
  memory: memory(1),
  setup: (context) => layOut(context, 1),
  guard: guardFreed,
  threads: {
    reader: {
      open: openReader,
      run(context, rcu: RcuThread) {
        rcu.online();
        lookUp(context, 'first', touch);
        rcu.quiescent();
        lookUp(context, 'second', touch);
        rcu.offline();
      },
    },
    updater: {
      open: openUpdater,
      run({ words, at }, rcu: Rcu) {
        Atomics.store(words, at('first'), 0);
        const first = rcu.startGracePeriod();
        Atomics.store(words, at('second'), 0);
        const second = rcu.startGracePeriod();
        if (rcu.isDone(first)) release(words, at('objects'), 1);
        if (rcu.isDone(second)) release(words, at('objects'), 2);
      },
    },
  },
  check: ({ words, at }) => `${countFreed(words, at('objects'))} freed`,
  outcomes: { '0 freed': 'acceptable', '1 freed': 'acceptable', '2 freed': 'acceptable' },
});

export const eventLoop: Scenario = scenario(import.meta.url, {
  name: 'structures/rcu-async',
  about: 'An updater on an event loop waits for the grace period without blocking: is it woken, and not too early?',
  source: 'core/src/sync/rcu.ts, synchronizeAsync',
  memory: memory(1),
  setup: (context) => layOut(context, 1),
  threads: {
    reader: {
      open: openReader,
      run(context, rcu: RcuThread) {
        rcu.online();
        lookUp(context, 'first');
        rcu.quiescent();
        lookUp(context, 'first');
        rcu.offline();
      },
    },
    updater: {
      open: openUpdater,
      async run({ words, at }, rcu: Rcu) {
        Atomics.store(words, at('first'), 0);
        await rcu.synchronizeAsync();
        release(words, at('objects'), 1);
      },
    },
  },
});

export const forget: Scenario = scenario(import.meta.url, {
  name: 'structures/rcu-forget',
  about: 'Reader 3 died while it was online, and somebody takes it offline: is the updater that waits for it woken?',
  source: 'core/src/sync/rcu.ts, forget',
  memory: memory(3),
  setup(context) {
    layOut(context, 3);
    new RcuThread(context.words, context.at('rcu'), { id: 3, spins: 0 }).online();
  },
  threads: {
    updater: { open: openUpdater, run: unlinkAndFree },
    supervisor: { open: openUpdater, run: (_context, rcu: Rcu) => rcu.forget(3) },
  },
  check({ words, at }) {
    if (countFreed(words, at('objects')) !== 1) throw new Error('object 1 was not freed');
  },
});
