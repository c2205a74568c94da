import type { Thread } from './thread.ts';

/** Threads that wait for one processor: who had least of it first, who came first among equals. */
export class ReadyQueue {
  readonly #threads: Thread[] = [];
  readonly #seqs: number[] = [];
  #added = 0;

  get length(): number {
    return this.#threads.length;
  }
  /** The first one. There is one. */
  get first(): Thread {
    return this.#threads[0];
  }

  push(thread: Thread): void {
    this.#threads.push(thread);
    this.#seqs.push(this.#added++);
    let slot = this.#threads.length - 1;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.#isBefore(slot, parent)) break;
      this.#swap(slot, parent);
      slot = parent;
    }
  }

  /** Takes the first one. There is one. */
  pop(): Thread {
    const first = this.#threads[0];
    const last = this.#threads.length - 1;
    this.#swap(0, last);
    this.#threads.pop();
    this.#seqs.pop();
    let slot = 0;
    for (;;) {
      let least = slot * 2 + 1;
      if (least >= last) break;
      if (least + 1 < last && this.#isBefore(least + 1, least)) least++;
      if (!this.#isBefore(least, slot)) break;
      this.#swap(least, slot);
      slot = least;
    }
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#threads[a].vruntime - this.#threads[b].vruntime;
    return difference < 0 || (difference === 0 && this.#seqs[a] < this.#seqs[b]);
  }

  #swap(a: number, b: number): void {
    const thread = this.#threads[a];
    this.#threads[a] = this.#threads[b];
    this.#threads[b] = thread;
    const seq = this.#seqs[a];
    this.#seqs[a] = this.#seqs[b];
    this.#seqs[b] = seq;
  }
}
