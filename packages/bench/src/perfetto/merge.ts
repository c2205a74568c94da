import { TRACE_TICK } from '@faultline/core/trace';
import type { SpoolCursor } from './spool.ts';

/** A ring's next record. */
interface Head {
  readonly ring: number;
  readonly cursor: SpoolCursor;
  /** Ticks since the cell's epoch: the record's own wrap after 214 s. */
  tick: number;
}

/** Goes through all rings' records by time, one at a time. A ring's own order is kept. */
export class Merge {
  readonly #heap: Head[] = [];
  #isFresh = true;

  /** @param cursors of ring 1, 2, … */
  constructor(cursors: readonly SpoolCursor[]) {
    cursors.forEach((cursor, i) => {
      if (!cursor.next()) return;
      const head: Head = { ring: i + 1, cursor, tick: cursor.words[cursor.at + TRACE_TICK] };
      this.#heap.push(head);
      this.#up(this.#heap.length - 1);
    });
  }

  /** @returns the ring whose record is next, and has not been seen; undefined at the end. Valid until the next call. */
  next(): Readonly<Head> | undefined {
    const heap = this.#heap;
    if (!this.#isFresh && heap.length > 0) this.#advance(heap[0]);
    this.#isFresh = false;
    return heap[0];
  }

  #advance(head: Head): void {
    const heap = this.#heap;
    if (head.cursor.next()) {
      const step = (head.cursor.words[head.cursor.at + TRACE_TICK] - head.tick) | 0;
      head.tick += Math.max(0, step);
    } else {
      const last = heap.pop();
      if (last === undefined || last === head) return;
      heap[0] = last;
    }
    this.#down(0);
  }

  #up(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at], heap[parent])) return;
      [heap[at], heap[parent]] = [heap[parent], heap[at]];
      at = parent;
    }
  }

  #down(from: number): void {
    const heap = this.#heap;
    for (let at = from; ; ) {
      let least = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2; child++)
        if (child < heap.length && isBefore(heap[child], heap[least])) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least], heap[at]];
      at = least;
    }
  }
}

/** At one tick the device side goes first: a fault is stalled before it is reported. */
function isBefore(a: Head, b: Head): boolean {
  return a.tick < b.tick || (a.tick === b.tick && a.ring > b.ring);
}
