// A minimal fault consumer: groups wait in a deliver queue, under one mutex, until somebody reads or cleans it.
import type { Context, Region } from '@faultline/bench/explore';
import type { GroupSink } from '@faultline/core/iopf';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';

const MUTEX = 0;
const LENGTH = 1;
const GROUPS = 2;
const CAPACITY = 2;

export const DELIVER: Region = {
  name: 'deliver',
  words: GROUPS + CAPACITY,
  fields: { MUTEX, LENGTH, 'GROUP 1': GROUPS, 'GROUP 2': GROUPS + 1 },
};

export class DeliverQueue implements GroupSink {
  readonly #words: Words;
  readonly #at: number;
  readonly #self: ThreadSelf;

  constructor({ words, at }: Context, self: ThreadSelf) {
    this.#words = words;
    this.#at = at(DELIVER.name);
    this.#self = self;
  }

  /** What the domain's handler does in the report. */
  queue(group: number): boolean {
    const words = this.#words;
    mutexLock(words, this.#at + MUTEX, this.#self);
    const length = words[this.#at + LENGTH];
    if (length < CAPACITY) {
      words[this.#at + GROUPS + length] = group;
      words[this.#at + LENGTH] = length + 1;
    }
    mutexUnlock(words, this.#at + MUTEX, this.#self);
    return length < CAPACITY;
  }

  publish(): void {}

  /** Empties the queue. `each` runs under its mutex. */
  clean(each: (group: number) => void): void {
    const words = this.#words;
    mutexLock(words, this.#at + MUTEX, this.#self);
    for (let i = 0; i < words[this.#at + LENGTH]; i++) each(words[this.#at + GROUPS + i]);
    words[this.#at + LENGTH] = 0;
    mutexUnlock(words, this.#at + MUTEX, this.#self);
  }

  /** Groups that wait: exact once the threads have ended. */
  static length({ words, at }: Context): number {
    return words[at(DELIVER.name) + LENGTH];
  }
}
