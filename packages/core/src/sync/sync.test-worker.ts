// The threads of the tests in this folder: each role does its rounds and reports what it counted.
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../memory/arena.ts';
import { Slab } from '../memory/slab.ts';
import { SlabCache } from '../memory/slab-cache.ts';
import { complete, waitForCompletion } from './completion.ts';
import { openCounterBank } from './counters.ts';
import { DeferredFree } from './deferred-free.ts';
import { Doorbell } from './doorbell.ts';
import { mutexLock, mutexTryLock, mutexUnlock } from './mutex.ts';
import { Rcu, RcuThread } from './rcu.ts';
import { refcountIncNotZero, refcountPut } from './refcount.ts';
import { randomFrom, startTogether, type TestTask } from './run-workers.test-help.ts';
import { readLock, readUnlock, writeLock, writeUnlock } from './rwlock.ts';

const task = workerData as TestTask;
const { id, threads, rounds, spins } = task;
const arena = Arena.open(task.arena);
const { words } = arena;
const self = { id, spins };
const random = randomFrom(task.seed, id);
/** Longer than any wait that works. */
const LOST_MS = 4_000;

const roles: Record<string, () => object> = {
  /** Counts a plain word up under the mutex, holding it long enough for others to fall asleep on it. */
  mutex() {
    const at = arena.base('mutex');
    const guarded = arena.base('guarded');
    for (let round = 0; round < rounds; round++) {
      if (round % 4 !== 0 || !mutexTryLock(words, at, self)) mutexLock(words, at, self);
      const seen = words[guarded];
      for (let hold = random() % 512; hold > 0; hold--) Atomics.load(words, guarded);
      words[guarded] = seen + 1;
      mutexUnlock(words, at, self);
    }
    return {};
  },

  /** Two plain words that are equal whenever nobody writes. */
  writer() {
    const at = arena.base('rwlock');
    const guarded = arena.base('guarded');
    for (let round = 0; round < rounds; round++) {
      writeLock(words, at, self);
      words[guarded]++;
      words[guarded + 1]++;
      writeUnlock(words, at, self);
    }
    Atomics.add(words, arena.base('done'), 1);
    return { torn: 0 };
  },
  /** Reads until the writers, of which there are `option`, are done. Readers overlap all the time. */
  reader() {
    const at = arena.base('rwlock');
    const guarded = arena.base('guarded');
    let torn = 0;
    let reads = 0;
    while (Atomics.load(words, arena.base('done')) < task.option) {
      readLock(words, at, self);
      const first = words[guarded];
      for (let i = random() % 64; i > 0; i--) reads++;
      if (words[guarded + 1] !== first) torn++;
      readUnlock(words, at);
    }
    return { torn, reads };
  },

  /** Replaces the published object, and frees the old one a grace period later. */
  updater() {
    const slab = new Slab(words, arena.base('slab'));
    const cache = new SlabCache(slab, self, { batch: 2, checked: true });
    const rcu = new Rcu(words, arena.base('rcu'));
    const own = new RcuThread(words, arena.base('rcu'), self);
    const deferred = new DeferredFree(rcu, slab.capacity, (object) => cache.free(object));
    const published = arena.base('published');
    let starved = 0;
    own.online();
    for (let round = 1; round <= rounds; round++) {
      own.quiescent();
      deferred.poll();
      const object = cache.alloc();
      if (object === 0) {
        starved++;
        deferred.flush(self);
        continue;
      }
      const at = slab.at(object);
      words.fill(round & 0xffff, at, at + slab.objectWords);
      const old = Atomics.exchange(words, published, object);
      if (old === 0) continue;
      cache.retire(old);
      if (random() % 256 === 0) {
        rcu.synchronize(self);
        cache.free(old);
      } else deferred.defer(old);
    }
    deferred.flush(self);
    own.offline();
    cache.flush();
    Atomics.add(words, arena.base('done'), 1);
    return { violations: 0, starved };
  },
  /** Looks the published object up: its words are all alike, and never poison. */
  follower() {
    const slab = new Slab(words, arena.base('slab'));
    const own = new RcuThread(words, arena.base('rcu'), self);
    const published = arena.base('published');
    let violations = 0;
    let reads = 0;
    own.online();
    while (Atomics.load(words, arena.base('done')) < task.option) {
      const object = Atomics.load(words, published);
      if (object !== 0) {
        const at = slab.at(object);
        const first = words[at];
        for (let word = 0; word < slab.objectWords; word++)
          if (words[at + word] !== first || first >>> 16 !== 0) violations++;
        reads++;
      }
      own.quiescent();
      if (random() % 64 === 0) {
        own.offline();
        own.online();
      }
    }
    own.offline();
    return { violations, reads };
  },

  /** Counts a round's object up by one a partner, lets them go, and waits for zero. */
  drainer() {
    const bank = openCounterBank(words, arena.base('bank'), self);
    const turn = arena.base('turn');
    let lost = 0;
    for (let round = 1; round <= rounds; round++) {
      const object = round % (bank.objects + 1);
      bank.add(object, threads - 1);
      Atomics.store(words, turn, round);
      if (!bank.waitZero(object, self, LOST_MS)) lost++;
    }
    return { lost };
  },
  /** Takes one off each round's object. */
  taker() {
    const bank = openCounterBank(words, arena.base('bank'), self);
    const turn = arena.base('turn');
    for (let round = 1; round <= rounds; round++) {
      while (Atomics.load(words, turn) < round);
      bank.sub(round % (bank.objects + 1), 1);
    }
    return { lost: 0 };
  },

  /** Puts out one piece of work, rings, and waits until it is taken, so that the sleeper parks every time. */
  ringer() {
    const bell = new Doorbell(words, arena.base('bell'));
    const mine = arena.base('work') + id;
    let lost = 0;
    for (let round = 0; round < rounds; round++) {
      Atomics.store(words, mine, 1);
      bell.ring();
      const rungAt = performance.now();
      while (lost === 0 && Atomics.load(words, mine) === 1) if (performance.now() - rungAt > LOST_MS) lost++;
    }
    Atomics.add(words, arena.base('done'), 1);
    bell.ring();
    return { lost };
  },
  /** Takes the work of all ringers. Nothing but a ring wakes it. */
  sleeper() {
    const bell = new Doorbell(words, arena.base('bell'));
    const work = arena.base('work');
    const ringers = threads - 1;
    let taken = 0;
    const hasWork = (): boolean => {
      for (let ringer = 1; ringer <= threads; ringer++) if (Atomics.load(words, work + ringer) !== 0) return true;
      return Atomics.load(words, arena.base('done')) === ringers;
    };
    while (Atomics.load(words, arena.base('done')) < ringers) {
      for (let ringer = 1; ringer <= threads; ringer++) taken += Atomics.exchange(words, work + ringer, 0);
      bell.sleep(hasWork, Number.POSITIVE_INFINITY);
    }
    return { lost: 0, taken };
  },

  /** Completes for the next thread in a circle, and waits for the one before. */
  circle() {
    const base = arena.base('completions');
    let lost = 0;
    for (let round = 0; round < rounds; round++) {
      complete(words, base + (id % threads) * 32);
      if (!waitForCompletion(words, base + (id - 1) * 32, self, LOST_MS)) lost++;
    }
    return { lost };
  },

  /** Takes and gives references, while there are any; counts how often it saw the last one go. */
  referrer() {
    const at = arena.base('count');
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      if (refcountIncNotZero(words, at) && refcountPut(words, at)) last++;
      // Thread 1 gives the first reference up half-way.
      if (id === 1 && round === rounds >> 1 && refcountPut(words, at)) last++;
    }
    return { last };
  },
};

startTogether(words, arena.base('start'), threads);
parentPort?.postMessage(roles[task.role]());
