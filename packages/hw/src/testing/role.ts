import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell, type Words } from '@faultline/core/sync';

/** What every thread of a test is told. */
export interface RoleTask {
  readonly role: string;
  readonly shared: SharedArena;
  readonly deadlineMs: number;
}

interface Pumped {
  pump(budget: number): number;
  needsWork(): boolean;
}

/** One thread of a test: its view of the arena, and its deadline. Nobody wakes up by a time-out before that: a lost wake-up fails the test. */
export class Role {
  readonly arena: Arena;
  readonly words: Words;
  /** By the clock of `performance.now`. */
  readonly deadline: number;
  readonly #deadlineMs: number;

  constructor({ shared, deadlineMs }: RoleTask) {
    this.arena = Arena.open(shared);
    this.words = this.arena.words;
    this.deadline = performance.now() + deadlineMs;
    this.#deadlineMs = deadlineMs;
  }

  bell(name: string): Doorbell {
    return new Doorbell(this.words, this.arena.base(name));
  }

  /** The test has neither stopped nor taken too long. */
  live(): boolean {
    return Atomics.load(this.words, this.arena.base('stop')) === 0 && performance.now() < this.deadline;
  }

  /** Pumps until told to end, asleep in between. @returns what was pumped in all */
  pump(pumped: Pumped, bell: string, isOver: () => boolean = () => !this.live()): number {
    const own = this.bell(bell);
    let count = 0;
    while (!isOver()) {
      const done = pumped.pump(64);
      count += done;
      if (done === 0) own.sleep(() => pumped.needsWork() || isOver(), this.#deadlineMs);
    }
    return count;
  }
}
