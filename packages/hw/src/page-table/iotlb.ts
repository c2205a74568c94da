// Invalidation between page tables and walkers, in shared words. A walker says at the start of each access how many invalidations it
// has obeyed; a sync waits until every walker at work has obeyed the latest. So when it returns, walks that began before are over,
// and nothing cached before is used again.
//
// Ordering.
//   [P] sync: entries cleared, then GENERATION       pairs with  [C] begin: GENERATION, then the walk
//   [D] begin: marks of the last walk, then OBEYED   pairs with  [W] sync: OBEYED, then the caller's look at the entries
//   [N] begin: OBEYED, then WAITERS                  pairs with      sync: WAITERS, then OBEYED (compared inside Atomics.wait)
import { checkInteger, IommuError } from '@faultline/core/errors';
import { checkRegion } from '@faultline/core/memory';
import { LINE, type ThreadSelf, type Words } from '@faultline/core/sync';
import type { Invalidator } from './gather.ts';

const WALKERS = 0;
const GENERATION = LINE; // invalidations so far: odd, so that it is never 0
const WAITERS = 2 * LINE; // threads that may be asleep on some OBEYED
/** Walker i, from 1: OBEYED is at OBEYED + i * LINE. The generation that it has obeyed, 0 while it is idle. */
const OBEYED = 2 * LINE;
const FIRST = 1;
const STEP = 2;

/** Words for walkers 1 to `walkers`. @throws IommuError EINVAL */
export function iotlbWords(walkers: number): number {
  return OBEYED + LINE + checkInteger('iotlbWords', 'walkers', walkers, 1, 4096) * LINE;
}

/** Lays out zeroed words, all walkers idle. @throws IommuError EINVAL */
export function initIotlb(words: Words, base: number, walkers: number): void {
  checkRegion('initIotlb', words, base, iotlbWords(walkers));
  words[base + WALKERS] = walkers;
  words[base + GENERATION] = FIRST;
}

/** The software's end. Any thread may make one. Batches are not kept apart: each sync invalidates everything. */
export class IotlbInvalidator implements Invalidator {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;
  /** Ranges and syncs so far. */
  ranges = 0;
  syncs = 0;

  constructor(words: Words, base: number, self: ThreadSelf) {
    checkRegion('IotlbInvalidator', words, base, 1);
    if (words[base + WALKERS] === 0)
      throw new IommuError('EINVAL', 'IotlbInvalidator', 'base', base, 'no words were laid out here');
    this.#words = words;
    this.#base = base;
    this.#self = self;
  }

  invalidate(): void {
    this.ranges++;
  }

  sync(): void {
    const words = this.#words;
    this.syncs++;
    const generation = (Atomics.add(words, this.#base + GENERATION, STEP) + STEP) | 0; // [P]
    for (let walker = 1; walker <= words[this.#base + WALKERS]; walker++)
      this.#await(this.#base + OBEYED + walker * LINE, generation);
  }

  #await(at: number, generation: number): void {
    const words = this.#words;
    for (let spin = 0; spin <= this.#self.spins; spin++) if (hasObeyed(Atomics.load(words, at), generation)) return; // [W]
    Atomics.add(words, this.#base + WAITERS, 1); // [N]
    for (let seen = Atomics.load(words, at); !hasObeyed(seen, generation); seen = Atomics.load(words, at))
      Atomics.wait(words, at, seen);
    Atomics.sub(words, this.#base + WAITERS, 1);
  }
}

function hasObeyed(seen: number, generation: number): boolean {
  return seen === 0 || ((seen - generation) | 0) >= 0;
}

/** One walker's end. Made by the thread that plays the walker. */
export class IotlbPort {
  readonly #words: Words;
  readonly #base: number;
  readonly #own: number;
  #seen = 0;

  constructor(words: Words, base: number, walker: number) {
    checkRegion('IotlbPort', words, base, 1);
    checkInteger('IotlbPort', 'walker', walker, 1, words[base + WALKERS]);
    this.#words = words;
    this.#base = base;
    this.#own = base + OBEYED + walker * LINE;
  }

  /** Before an access. @returns true when what is cached must go first. */
  begin(): boolean {
    const generation = Atomics.load(this.#words, this.#base + GENERATION); // [C]
    if (generation === this.#seen) return false;
    this.#tell(generation);
    return true;
  }

  /** Nothing is under way, and nothing cached will be used: before sleeping, and when done. */
  idle(): void {
    this.#tell(0);
  }

  #tell(seen: number): void {
    this.#seen = seen;
    Atomics.store(this.#words, this.#own, seen); // [D]
    if (Atomics.load(this.#words, this.#base + WAITERS) !== 0) Atomics.notify(this.#words, this.#own); // [N]
  }
}
