// Freeing after a grace period without waiting for it: each object gets a whole grace period of its own, and all are freed.
import { type Context, type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { DeferredFree, initRcu, Rcu, RcuThread, rcuWords } from '@faultline/core/sync';
import { countFreed, OBJECTS, release, use } from './rcu-objects.ts';

const MEMORY = [
  { name: 'rcu', words: rcuWords(1), fields: { ASKED: 32, DONE: 64, WAITERS: 96, 'READER 1': 128 } },
  { name: 'first', words: 1 },
  { name: 'second', words: 1 },
  OBJECTS,
];

function setup({ words, at }: Context): void {
  initRcu(words, at('rcu'), 1);
  words[at('first')] = 1;
  words[at('second')] = 2;
}

function lookUp({ words, at }: Context, link: 'first' | 'second'): void {
  const found = Atomics.load(words, at(link));
  if (found !== 0) use(words, at('objects'), found);
}

const reader = {
  open: ({ words, at, self }: ThreadContext): RcuThread => new RcuThread(words, at('rcu'), self),
  run(context: ThreadContext, rcu: RcuThread): void {
    rcu.online();
    lookUp(context, 'first');
    rcu.quiescent();
    lookUp(context, 'second');
    rcu.offline();
  },
};

const openUpdater = ({ words, at }: ThreadContext): DeferredFree =>
  new DeferredFree(new Rcu(words, at('rcu')), 2, (object) => release(words, at('objects'), object));

export const polled: Scenario = scenario(import.meta.url, {
  name: 'structures/deferred-free',
  about:
    'An updater unlinks an object while an earlier one waits for its grace period: does the later one get a whole one?',
  source: 'core/src/sync/deferred-free.ts, poll',
  memory: MEMORY,
  setup,
  threads: {
    reader,
    updater: {
      open: openUpdater,
      run({ words, at }, deferred: DeferredFree) {
        Atomics.store(words, at('first'), 0);
        deferred.defer(1);
        deferred.poll();
        Atomics.store(words, at('second'), 0);
        deferred.defer(2);
        return deferred.poll() + deferred.poll();
      },
    },
  },
  check({ words, at, results }) {
    const freed = countFreed(words, at('objects'));
    if (freed !== results.updater) throw new Error(`${results.updater} said to be freed, ${freed} are`);
    return `${freed} freed`;
  },
  outcomes: { '0 freed': 'acceptable', '1 freed': 'acceptable', '2 freed': 'acceptable' },
});

export const flushed: Scenario = scenario(import.meta.url, {
  name: 'structures/deferred-free-flush',
  about: 'An updater flushes with one object under way and one just unlinked: are both freed, and neither too early?',
  source: 'core/src/sync/deferred-free.ts, flush',
  memory: MEMORY,
  setup,
  threads: {
    reader,
    updater: {
      open: openUpdater,
      run({ words, at, self }, deferred: DeferredFree) {
        Atomics.store(words, at('first'), 0);
        deferred.defer(1);
        deferred.poll();
        Atomics.store(words, at('second'), 0);
        deferred.defer(2);
        deferred.flush(self);
      },
    },
  },
  check({ words, at }) {
    const freed = countFreed(words, at('objects'));
    if (freed !== 2) throw new Error(`flush left ${2 - freed} objects`);
  },
});

export const nested: Scenario = scenario(import.meta.url, {
  name: 'structures/deferred-free-nested',
  about:
    'Releasing object 1 unlinks and defers 3 and 4 in turn, while 2 is still due: do they get a grace period of their own?',
  source: 'core/src/sync/deferred-free.ts, #releaseWaiting',
  memory: [
    { name: 'rcu', words: rcuWords(1), fields: { ASKED: 32, DONE: 64, WAITERS: 96, 'READER 1': 128 } },
    { name: 'link', words: 1 },
    OBJECTS,
  ],
  setup({ words, at }) {
    initRcu(words, at('rcu'), 1);
    words[at('link')] = 3;
  },
  threads: {
    reader: {
      open: ({ words, at, self }: ThreadContext): RcuThread => new RcuThread(words, at('rcu'), self),
      run({ words, at }, rcu: RcuThread) {
        rcu.online();
        const found = Atomics.load(words, at('link'));
        if (found !== 0) use(words, at('objects'), found);
        rcu.offline();
      },
    },
    updater: {
      open({ words, at }: ThreadContext): DeferredFree {
        const deferred: DeferredFree = new DeferredFree(new Rcu(words, at('rcu')), 2, (object) => {
          release(words, at('objects'), object);
          if (object !== 1) return;
          Atomics.store(words, at('link'), 0);
          deferred.defer(3);
          deferred.defer(4);
        });
        return deferred;
      },
      run(_context, deferred: DeferredFree) {
        deferred.defer(1);
        deferred.defer(2);
        deferred.poll();
        deferred.poll();
      },
    },
  },
});
