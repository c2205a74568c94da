// What a thread sleeps on when it has nothing to do: work that was rung for is never slept on.
import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { Doorbell, doorbellWords } from '@faultline/core/sync';

const MEMORY = [
  { name: 'bell', words: doorbellWords(), fields: { SEQ: 0, PARKED: 32 } },
  { name: 'work', words: 1 },
  { name: 'payload', words: 1 },
];

const open = ({ words, at }: ThreadContext): Doorbell => new Doorbell(words, at('bell'));

/** Makes one piece of work visible, and rings. */
function give({ words, at }: ThreadContext, bell: Doorbell): void {
  Atomics.add(words, at('work'), 1);
  bell.ring();
}

/** The loop of a thread that serves: does what there is, sleeps when there is nothing. */
function serve({ words, at }: ThreadContext, bell: Doorbell, pieces: number): void {
  const hasWork = (): boolean => Atomics.load(words, at('work')) !== 0;
  for (let done = 0; done < pieces; ) {
    bell.sleep(hasWork, Infinity);
    done += Atomics.exchange(words, at('work'), 0);
  }
}

/** The same on an event loop. */
async function serveAsync({ words, at }: ThreadContext, bell: Doorbell, pieces: number): Promise<void> {
  for (let done = 0; done < pieces; ) {
    const seen = bell.prepare();
    if (Atomics.load(words, at('work')) === 0) await bell.sleepAsync(seen);
    bell.awake();
    done += Atomics.exchange(words, at('work'), 0);
  }
}

export const sleep: Scenario = scenario(import.meta.url, {
  name: 'structures/doorbell',
  about: 'One thread gives work and rings, twice, another serves and sleeps: is work that was rung for slept on?',
  source: 'core/src/sync/doorbell.ts',
  memory: MEMORY,
  threads: {
    client: {
      open,
      run(context, bell: Doorbell) {
        context.words[context.at('payload')] = 1;
        give(context, bell);
        give(context, bell);
      },
    },
    server: {
      open,
      run(context, bell: Doorbell) {
        serve(context, bell, 2);
        if (context.words[context.at('payload')] !== 1) throw new Error('rung for before the work was visible');
      },
    },
  },
});

export const twoRing: Scenario = scenario(import.meta.url, {
  name: 'structures/doorbell-two',
  about: 'Two threads ring, one serves both: is either ring lost in the other?',
  source: 'core/src/sync/doorbell.ts, ring',
  memory: MEMORY,
  threads: {
    alice: { open, run: give },
    bob: { open, run: give },
    server: { open, run: (context, bell: Doorbell) => serve(context, bell, 2) },
  },
});

export const eventLoop: Scenario = scenario(import.meta.url, {
  name: 'structures/doorbell-async',
  about: 'One thread gives work and rings, twice, an event loop serves: is work that was rung for slept on?',
  source: 'core/src/sync/doorbell.ts, sleepAsync',
  memory: MEMORY,
  threads: {
    client: {
      open,
      run(context, bell: Doorbell) {
        give(context, bell);
        give(context, bell);
      },
    },
    server: { open, run: (context, bell: Doorbell) => serveAsync(context, bell, 2) },
  },
});

export const dropped: Scenario = scenario(import.meta.url, {
  name: 'structures/doorbell-dropped',
  about:
    'An event loop drops one sleep for other business and sleeps again: does the dropped one take the ring of the next?',
  source: 'core/src/sync/doorbell.ts, ring',
  memory: MEMORY,
  threads: {
    client: { open, run: give },
    server: {
      open,
      run(context, bell: Doorbell) {
        bell.sleepAsync(bell.prepare());
        bell.awake();
        return serveAsync(context, bell, 1);
      },
    },
  },
});

export const timed: Scenario = scenario(import.meta.url, {
  name: 'structures/doorbell-timeout',
  about: 'A sleep may time out at any moment, just as it is rung for as well: is the work slept on the next time?',
  source: 'core/src/sync/doorbell.ts, sleep',
  memory: MEMORY,
  timeouts: 'any',
  threads: {
    client: { open, run: give },
    server: {
      open,
      run(context, bell: Doorbell) {
        bell.sleep(() => Atomics.load(context.words, context.at('work')) !== 0, 1);
        serve(context, bell, 1);
      },
    },
  },
});
