/** What is to be written, by time. */
export interface Due {
  readonly ns: number;
  /** Of two at one time, the smaller one goes first. */
  readonly order: number;
  write(ns: number): void;
}

/** Gives back by time what is put in as it becomes known. */
export class Sorted {
  readonly #heap: Due[] = [];

  put(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(due);
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(due, heap[parent]); parent = (at - 1) >> 1) {
      heap[at] = heap[parent];
      heap[parent] = due;
      at = parent;
    }
  }

  /** Writes everything before `ns`. */
  writeUntil(ns: number): void {
    const heap = this.#heap;
    while (heap.length > 0 && heap[0].ns < ns) {
      const first = heap[0];
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) this.#sink(last);
      first.write(first.ns);
    }
  }

  #sink(due: Due): void {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], due)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = due;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.ns < b.ns || (a.ns === b.ns && a.order < b.order);
}
