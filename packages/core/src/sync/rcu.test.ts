import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeferredFree, initRcu, LINE, Rcu, RcuThread, rcuLayout, rcuWords } from './index.ts';
import { thread, wordsFor } from './testing.test-help.ts';

const THREADS = 3;

function makeRcu(startAt?: number) {
  const words = wordsFor(rcuWords(THREADS));
  initRcu(words, LINE, THREADS);
  // Grace periods are compared by their difference: start just below the wrap.
  if (startAt !== undefined) words[2 * LINE] = words[3 * LINE] = startAt;
  const readers = Array.from({ length: THREADS }, (_, i) => new RcuThread(words, LINE, thread(i + 1)));
  return { words, rcu: new Rcu(words, LINE), readers };
}

test('the table fits the words', () => {
  expect(rcuLayout(THREADS).words).toBeLessThanOrEqual(rcuWords(THREADS));
});

test('a grace period waits for who was online, and for nobody else', () => {
  const { rcu, readers } = makeRcu();
  expect(rcu.isDone(rcu.startGracePeriod())).toBe(true);
  readers[1].online();
  const gracePeriod = rcu.startGracePeriod();
  readers[2].online(); // since: cannot hold what was unlinked before
  expect(rcu.laggard(gracePeriod)).toBe(2);
  readers[1].quiescent();
  expect(rcu.isDone(gracePeriod)).toBe(true);
});

test('a quiescent thread stores nothing while no grace period is asked for', () => {
  const { words, readers } = makeRcu();
  readers[0].online();
  const before = words.slice();
  readers[0].quiescent();
  expect(words.slice()).toEqual(before);
});

test('being quiescent does not bring a thread online', () => {
  const { rcu, readers } = makeRcu();
  readers[0].quiescent();
  expect(readers[0].isOnline()).toBe(false);
  rcu.synchronize(thread(1));
});

test('who synchronises does not wait for itself, and is a reader again afterwards', () => {
  const { rcu, readers } = makeRcu();
  readers[0].online();
  rcu.synchronize(thread(1));
  expect(readers[0].isOnline()).toBe(true);
  const gracePeriod = rcu.startGracePeriod();
  expect(rcu.laggard(gracePeriod)).toBe(1);
  readers[0].quiescent();
  expect(rcu.isDone(gracePeriod)).toBe(true);
});

test('a dead thread is forgotten', () => {
  const { rcu, readers } = makeRcu();
  readers[2].online();
  const gracePeriod = rcu.startGracePeriod();
  expect(rcu.isDone(gracePeriod)).toBe(false);
  rcu.forget(3);
  expect(rcu.isDone(gracePeriod)).toBe(true);
});

test('an event loop can wait without blocking', async () => {
  const { rcu, readers } = makeRcu();
  readers[0].online();
  readers[1].online();
  let over = false;
  const waiting = rcu.synchronizeAsync().then(() => {
    over = true;
  });
  readers[0].quiescent();
  await new Promise(setImmediate);
  expect(over).toBe(false);
  readers[1].offline();
  await waiting;
});

type Step = { call: 'online' | 'offline' | 'quiescent' | 'defer' | 'poll'; who: number };

test('nothing is released before all who could hold it have let go; all is released in the end', () => {
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.record({
      call: fc.constantFrom('online', 'offline', 'quiescent', 'quiescent', 'defer', 'defer', 'poll', 'poll'),
      who: fc.nat(THREADS - 1),
    }),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(fc.constantFrom(undefined, 0x7ffffff1, -9), steps, (startAt, sequence) => {
      const { rcu, readers } = makeRcu(startAt);
      const holders = new Map<number, Set<number>>();
      const release = (object: number): void => {
        expect([...(holders.get(object) ?? [-1])]).toEqual([]);
        holders.delete(object);
      };
      const deferred = new DeferredFree(rcu, 200, release);
      const letGo = (who: number): void => {
        for (const left of holders.values()) left.delete(who);
      };
      let next = 1;
      for (const { call, who } of sequence) {
        const reader = readers[who];
        if (call === 'online' && !reader.isOnline()) reader.online();
        else if (call === 'offline' || call === 'quiescent') {
          reader[call]();
          letGo(who);
        } else if (call === 'defer') {
          holders.set(next, new Set([0, 1, 2].filter((i) => readers[i].isOnline())));
          deferred.defer(next++);
        } else if (call === 'poll') deferred.poll();
        expect(deferred.pending()).toBe(holders.size);
      }
      readers.forEach((reader, who) => {
        reader.offline();
        letGo(who);
      });
      deferred.flush(thread(1));
      expect(holders.size).toBe(0);
    }),
  );
});

test('a release may defer in its turn', () => {
  const { rcu } = makeRcu();
  const released: number[] = [];
  const deferred: DeferredFree = new DeferredFree(rcu, 2, (object) => {
    released.push(object);
    if (object < 4) deferred.defer(object + 1);
  });
  deferred.defer(1);
  deferred.flush(thread(1));
  expect(released).toEqual([1, 2, 3, 4]);
});

test('a full DeferredFree releases what is due, and refuses when nothing is', () => {
  const { rcu, readers } = makeRcu();
  const released: number[] = [];
  const deferred = new DeferredFree(rcu, 2, (object) => released.push(object));
  readers[0].online();
  deferred.defer(1);
  deferred.poll();
  deferred.defer(2);
  expect(() => deferred.defer(3)).toThrow(/object = 3: 2 objects wait already \(ENOMEM\)/);
  readers[0].quiescent();
  deferred.defer(3);
  expect(released).toEqual([1]);
});

test('misuse is refused', () => {
  const { words, rcu, readers } = makeRcu();
  readers[0].online();
  expect(() => readers[0].online()).toThrow(/RcuThread\.online.*EBUSY/);
  for (const id of [0, THREADS + 1]) {
    expect(() => new RcuThread(words, LINE, thread(id))).toThrow(/self\.id = .*EINVAL/);
    expect(() => rcu.forget(id)).toThrow(/thread = .*EINVAL/);
  }
  expect(() => rcuWords(0)).toThrow(/threads = 0/);
  expect(() => initRcu(words, LINE, 99)).toThrow(/base = 32/);
  expect(() => new Rcu(wordsFor(32), LINE)).toThrow(/no readers were laid out here/);
  expect(() => new DeferredFree(rcu, 0, () => undefined)).toThrow(/capacity = 0/);
});
