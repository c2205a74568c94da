// The readers-writer lock: readers together, a writer alone, a writer before new readers, and nobody asleep for ever.
import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import {
  complete,
  completionWords,
  readLock,
  readUnlock,
  rwlockReaders,
  rwlockWords,
  tryReadLock,
  tryWriteLock,
  waitForCompletion,
  writeLock,
  writeUnlock,
} from '@faultline/core/sync';

const LOCK = {
  name: 'lock',
  words: rwlockWords(),
  fields: { STATE: 0, WRITING: 32, DRAINING: 33, WAITING: 34, GATE: 35 },
};
const MEMORY = [LOCK, { name: 'guarded', words: 2 }];
const WRITER = 1 << 30;
const RACY = [
  {
    region: 'lock',
    offsets: [0],
    why: 'readUnlock asks whether anybody reads: who calls it rightly is counted in there, whatever else changes.',
  },
];

/** The two guarded words are always equal, except inside a writer. */
function inside(words: Int32Array, at: number): void {
  if (words[at] !== words[at + 1]) throw new Error(`a reader found ${words[at]} and ${words[at + 1]}`);
}

function change(words: Int32Array, at: number): void {
  words[at]++;
  words[at + 1]++;
}

function read({ words, at, self }: ThreadContext): void {
  readLock(words, at('lock'), self);
  inside(words, at('guarded'));
  readUnlock(words, at('lock'));
}

/** Reads, and stays inside. */
function comeIn({ words, at, self }: ThreadContext): void {
  readLock(words, at('lock'), self);
  inside(words, at('guarded'));
}

function write({ words, at, self }: ThreadContext): void {
  writeLock(words, at('lock'), self);
  change(words, at('guarded'));
  writeUnlock(words, at('lock'), self);
}

function checkWrites(words: Int32Array, guarded: number, expected: number): void {
  if (words[guarded] !== expected || words[guarded + 1] !== expected)
    throw new Error(`${expected} writes left ${words[guarded]} and ${words[guarded + 1]}`);
}

export const readerWriter: Scenario = scenario(import.meta.url, {
  name: 'structures/rwlock',
  about: 'A reader against a writer that writes twice: is the writer alone, and is each woken by the other?',
  source: 'core/src/sync/rwlock.ts',
  memory: MEMORY,
  threads: {
    reader: { run: read },
    writer: {
      run(context) {
        write(context);
        write(context);
      },
    },
  },
  check: ({ words, at }) => checkWrites(words, at('guarded'), 2),
  racy: RACY,
});

export const writers: Scenario = scenario(import.meta.url, {
  name: 'structures/rwlock-writers',
  about: 'Two writers, one of which reads afterwards: is any write lost, does the mutex between them wake each?',
  source: 'core/src/sync/rwlock.ts, WRITING',
  memory: MEMORY,
  threads: {
    alice: {
      run(context) {
        write(context);
        read(context);
      },
    },
    bob: { run: write },
  },
  check: ({ words, at }) => checkWrites(words, at('guarded'), 2),
  racy: RACY,
});

export const readersWait: Scenario = scenario(import.meta.url, {
  name: 'structures/rwlock-readers-wait',
  about: 'Two readers come while a writer is inside: are both let in when it leaves?',
  source: 'core/src/sync/rwlock.ts, GATE',
  memory: MEMORY,
  setup: ({ words, at }) => writeLock(words, at('lock'), { id: 1, spins: 0 }),
  threads: {
    writer: {
      run({ words, at, self }) {
        change(words, at('guarded'));
        writeUnlock(words, at('lock'), self);
      },
    },
    alice: { run: comeIn },
    bob: { run: comeIn },
  },
  check({ words, at }) {
    checkWrites(words, at('guarded'), 1);
    if (rwlockReaders(words, at('lock')) !== 2) throw new Error('not both of them read');
  },
  racy: RACY,
});

export const readersTogether: Scenario = scenario(import.meta.url, {
  name: 'structures/rwlock-readers-together',
  about: 'Two readers meet inside the lock: each waits in there for the other.',
  source: 'core/src/sync/rwlock.ts, readLock',
  memory: [LOCK, { name: 'alice', words: completionWords() }, { name: 'bob', words: completionWords() }],
  threads: {
    alice: {
      run({ words, at, self }) {
        readLock(words, at('lock'), self);
        complete(words, at('alice'));
        waitForCompletion(words, at('bob'), self, Infinity);
        readUnlock(words, at('lock'));
      },
    },
    bob: {
      run({ words, at, self }) {
        readLock(words, at('lock'), self);
        complete(words, at('bob'));
        waitForCompletion(words, at('alice'), self, Infinity);
        readUnlock(words, at('lock'));
      },
    },
  },
  racy: RACY,
});

export const preference: Scenario = scenario(import.meta.url, {
  name: 'structures/rwlock-preference',
  about: 'While a reader is inside and a writer has its turn, does a new reader still come in?',
  source: 'core/src/sync/rwlock.ts, writeLock',
  memory: MEMORY,
  threads: {
    // It looks at STATE first, as only that tells it from outside that the writer's turn has begun.
    reader: {
      run({ words, at, self }) {
        const lock = at('lock');
        readLock(words, lock, self);
        const writersTurn = Atomics.load(words, lock) >= WRITER;
        const another = tryReadLock(words, lock);
        inside(words, at('guarded'));
        if (another) readUnlock(words, lock);
        readUnlock(words, lock);
        if (another && writersTurn) throw new Error('a new reader came in past the writer');
        return another ? 1 : 0;
      },
    },
    writer: { run: write },
  },
  check({ words, at, results }) {
    checkWrites(words, at('guarded'), 1);
    return results.reader === 1 ? 'before the writer' : 'held back';
  },
  outcomes: { 'before the writer': 'acceptable', 'held back': 'acceptable' },
  racy: RACY,
});

export const tryWrite: Scenario = scenario(import.meta.url, {
  name: 'structures/rwlock-try',
  about: 'One thread reads and then writes, another only tries to write: is it ever let in beside the first?',
  source: 'core/src/sync/rwlock.ts, tryWriteLock',
  memory: MEMORY,
  threads: {
    alice: {
      run(context) {
        read(context);
        write(context);
      },
    },
    bob: {
      run({ words, at, self }) {
        if (!tryWriteLock(words, at('lock'), self)) return 0;
        change(words, at('guarded'));
        writeUnlock(words, at('lock'), self);
        return 1;
      },
    },
  },
  check({ words, at, results }) {
    checkWrites(words, at('guarded'), 1 + results.bob);
    return results.bob === 1 ? 'let in' : 'sent away';
  },
  outcomes: { 'let in': 'acceptable', 'sent away': 'acceptable' },
  racy: RACY,
});
