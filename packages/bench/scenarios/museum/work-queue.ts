// A work queue of one worker, in small: a word for each group that will ever be queued, and a count of those that were handled.
import type { Kernel } from './kernel.ts';

const HANDLED = 0;
const SLOTS = 1;
const END = -1;

/** Names of its words, for reports. */
export function workQueueFields(at: number): Readonly<Record<string, number>> {
  return { 'work.HANDLED': at + HANDLED, 'work.FIRST': at + SLOTS, 'work.SECOND': at + 2, 'work.THIRD': at + 3 };
}

export class WorkQueue {
  readonly #words: Kernel['words'];
  readonly #at: number;
  #queued = 0;

  /** @param at offset in region `shared`. */
  constructor(kernel: Kernel, at: number) {
    this.#words = kernel.words;
    this.#at = kernel.shared(at);
  }

  /** queue_work(). One thread does it. */
  queue(group: number): void {
    const slot = this.#at + SLOTS + this.#queued++;
    Atomics.store(this.#words, slot, group);
    Atomics.notify(this.#words, slot);
  }

  /** The worker ends once it comes here. */
  end(): void {
    this.queue(END);
  }

  /** The worker. */
  run(handle: (group: number) => void): void {
    for (let slot = this.#at + SLOTS; ; slot++) {
      const group = sleepWhile(this.#words, slot, 0);
      if (group === END) return;
      handle(group);
      Atomics.add(this.#words, this.#at + HANDLED, 1);
      Atomics.notify(this.#words, this.#at + HANDLED);
    }
  }

  /** flush_workqueue(): returns when the first group has been handled. */
  flush(): void {
    sleepWhile(this.#words, this.#at + HANDLED, 0);
  }
}

function sleepWhile(words: Kernel['words'], at: number, value: number): number {
  for (;;) {
    const seen = Atomics.load(words, at);
    if (seen !== value) return seen;
    Atomics.wait(words, at, value);
  }
}
