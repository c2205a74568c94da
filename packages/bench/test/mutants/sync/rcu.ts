import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/rcu.ts';

export const rcuMutants: readonly Mutant[] = [
  {
    name: 'a grace period is named before it is asked for',
    module,
    find: 'return (Atomics.add(this.#words, this.#base + ASKED, STEP) + STEP) | 0; // [P]',
    replace: 'return Atomics.add(this.#words, this.#base + ASKED, STEP);',
    scenario: 'structures/rcu',
  },
  {
    name: 'synchronize does not wait for the last reader',
    module,
    find: 'thread <= this.threads; thread++) this.#await',
    replace: 'thread < this.threads; thread++) this.#await',
    scenario: 'structures/rcu',
  },
  {
    name: 'synchronize sleeps unannounced',
    module,
    find: '    Atomics.add(words, this.#base + WAITERS, 1); // [W]\n    for (let seen = Atomics.load(words, reader); holdsUp(seen, gracePeriod); seen = Atomics.load(words, reader))\n      Atomics.wait',
    replace:
      '    for (let seen = Atomics.load(words, reader); holdsUp(seen, gracePeriod); seen = Atomics.load(words, reader))\n      Atomics.wait',
    scenario: 'structures/rcu',
  },
  {
    name: 'a reader looks for who waits before it says that it holds nothing',
    module,
    find: '    Atomics.store(this.#words, this.#own, seen); // [R] [Q]\n    if (Atomics.load(this.#words, this.#waiters) !== 0)',
    replace:
      '    const waiters = Atomics.load(this.#words, this.#waiters);\n    Atomics.store(this.#words, this.#own, seen);\n    if (waiters !== 0)',
    scenario: 'structures/rcu',
  },
  {
    name: 'a reader does not wake who waits',
    module,
    find: '    if (Atomics.load(this.#words, this.#waiters) !== 0) Atomics.notify(this.#words, this.#own); // [W]\n',
    replace: '',
    scenario: 'structures/rcu',
  },
  {
    name: 'a reader comes online without saying so',
    module,
    find: '    Atomics.store(this.#words, this.#own, this.#seen); // [Q]\n',
    replace: '',
    scenario: 'structures/rcu-online',
  },
  {
    name: 'a reader says that it holds nothing, of the grace period after this one',
    module,
    find: '      this.#tell(asked);',
    replace: '      this.#tell((asked + STEP) | 0);',
    scenario: 'structures/rcu-poll',
  },
  {
    name: 'a reader that goes offline says so only to itself',
    module,
    find: '    this.#tell(0);\n',
    replace: '',
    scenario: 'structures/rcu-online',
  },
  {
    name: 'a reader that is offline is waited for',
    module,
    find: 'holdsUp(seen: number, gracePeriod: number): boolean {\n  return seen !== 0 && ((seen - gracePeriod) | 0) < 0;',
    replace: 'holdsUp(seen: number, gracePeriod: number): boolean {\n  return ((seen - gracePeriod) | 0) < 0;',
    scenario: 'structures/rcu',
  },
  {
    name: 'readers that synchronise at once wait for each other',
    module,
    find: '    if (wasOnline) this.#setReader(own, 0);\n',
    replace: '',
    scenario: 'structures/rcu-both',
  },
  {
    name: 'a reader that synchronised is not one again',
    module,
    find: '    if (wasOnline) this.#setReader(own, Atomics.load(words, this.#base + ASKED)); // [Q]\n',
    replace: '',
    scenario: 'structures/rcu-both',
  },
  {
    name: 'a reader taken offline by another wakes nobody',
    module,
    find: '    if (Atomics.load(this.#words, this.#base + WAITERS) !== 0) Atomics.notify(this.#words, reader);\n',
    replace: '',
    scenario: 'structures/rcu-forget',
  },
  {
    name: 'the grace period asked for last is taken for over',
    module,
    find: 'Atomics.compareExchange(words, this.#base + DONE, done, gracePeriod);',
    replace: 'Atomics.store(words, this.#base + DONE, Atomics.load(words, this.#base + ASKED));',
    scenario: 'structures/rcu-poll',
  },
  {
    name: 'any grace period that is over will do',
    module,
    find: 'if (((done - gracePeriod) | 0) >= 0) return 0;',
    replace: 'if (((done - gracePeriod) | 0) >= -STEP) return 0;',
    scenario: 'structures/rcu-poll',
  },
  {
    name: 'synchronizeAsync sleeps unannounced',
    module,
    find: '    Atomics.add(words, this.#base + WAITERS, 1); // [W]\n    for (let thread',
    replace: '    for (let thread',
    scenario: 'structures/rcu-async',
  },
];

const deferred = 'core/src/sync/deferred-free.ts';

export const deferredFreeMutants: readonly Mutant[] = [
  {
    name: 'what a release defers is released with what was due',
    module: deferred,
    find: 'while (this.#waiting > 0 && this.#gracePeriod === gracePeriod) {',
    replace: 'while (this.#waiting > 0) {',
    scenario: 'structures/deferred-free-nested',
  },
  {
    name: 'poll frees without looking whether the grace period is over',
    module: deferred,
    find: 'if (this.#waiting > 0 && this.#rcu.isDone(this.#gracePeriod))',
    replace: 'if (this.#waiting > 0)',
    scenario: 'structures/deferred-free',
  },
  {
    name: 'an object joins a grace period that runs already',
    module: deferred,
    find: '    this.#open++;\n',
    replace: '    if (this.#waiting > 0) this.#waiting++;\n    else this.#open++;\n',
    scenario: 'structures/deferred-free',
  },
  {
    name: 'the next ones wait for the grace period before theirs',
    module: deferred,
    find: '      this.#gracePeriod = this.#rcu.startGracePeriod();\n',
    replace: '      if (this.#gracePeriod === 0) this.#gracePeriod = this.#rcu.startGracePeriod();\n',
    scenario: 'structures/deferred-free',
  },
  {
    name: 'flush takes the grace period under way for that of all',
    module: deferred,
    find: '      this.#rcu.synchronize(self);\n',
    replace: '      if (!this.#rcu.isDone(this.#gracePeriod)) this.#rcu.synchronize(self);\n',
    scenario: 'structures/deferred-free-flush',
  },
  {
    name: 'flush leaves those that have no grace period yet',
    module: deferred,
    find: '      this.#waiting += this.#open;\n',
    replace: '',
    scenario: 'structures/deferred-free-flush',
  },
];
