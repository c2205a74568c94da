import { GCProfiler, getHeapStatistics } from 'node:v8';

/** What this thread's JavaScript heap went through. Compiled code and feedback lie in it too. */
export interface HeapUse {
  /** Bytes allocated, counting those that a collection has taken back. */
  readonly allocatedBytes: number;
  readonly collections: number;
}

/** Watches the heap of the thread that it is made on, from its making to {@link stop}. */
export class HeapWatch {
  readonly #profiler: GCProfiler = new GCProfiler();
  readonly #before: number;

  constructor() {
    this.#profiler.start();
    this.#before = getHeapStatistics().used_heap_size;
  }

  /** Between two collections the heap only grows: the growths add up to what was allocated. */
  stop(): HeapUse {
    const now = getHeapStatistics().used_heap_size;
    const { statistics } = this.#profiler.stop();
    let allocatedBytes = 0;
    let after = this.#before;
    for (const { beforeGC, afterGC } of statistics) {
      allocatedBytes += beforeGC.heapStatistics.usedHeapSize - after;
      after = afterGC.heapStatistics.usedHeapSize;
    }
    return { allocatedBytes: allocatedBytes + now - after, collections: statistics.length };
  }
}
