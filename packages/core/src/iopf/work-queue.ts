import { setImmediate as immediate } from 'node:timers/promises';
import { SpmcConsumer, SpmcProducer } from '../ring/index.ts';
import { LINE, type ThreadSelf, type Words } from '../sync/index.ts';
import type { GroupSink } from './generations/index.ts';
import type { IopfSystem } from './system.ts';

/** The work queue's producing end: groups go to the handler threads by their slab index. One reporting thread owns it. */
export class WorkSink implements GroupSink {
  readonly #ring: SpmcProducer;

  constructor(system: IopfSystem) {
    this.#ring = new SpmcProducer(system.words, system.work);
  }
  /** @returns false when the work ring is full. */
  queue(group: number): boolean {
    return this.#ring.push(group);
  }
  publish(): void {
    this.#ring.publish();
  }
}

const ACTIVE = 0;
const WAITING = LINE;

/** The work queue's limit on active workers (max_active): a worker enters before it takes work and leaves after it.
 * ACTIVE counts those inside; WAITING those asleep on it. leave: ACTIVE, then WAITING, pairs with enter: WAITING, then ACTIVE. */
export class ActiveLimit {
  readonly #words: Words;
  readonly #at: number;
  readonly #limit: number;

  constructor(words: Words, at: number, limit: number) {
    this.#words = words;
    this.#at = at;
    this.#limit = limit;
  }

  enter(timeoutMs: number): boolean {
    const words = this.#words;
    const at = this.#at + ACTIVE;
    for (;;) {
      const active = Atomics.load(words, at);
      if (active < this.#limit) {
        if (Atomics.compareExchange(words, at, active, active + 1) === active) return true;
        continue;
      }
      Atomics.add(words, this.#at + WAITING, 1);
      const outcome = Atomics.wait(words, at, active, timeoutMs);
      Atomics.sub(words, this.#at + WAITING, 1);
      if (outcome === 'timed-out') return false;
    }
  }

  leave(): void {
    Atomics.sub(this.#words, this.#at + ACTIVE, 1);
    if (Atomics.load(this.#words, this.#at + WAITING) !== 0) Atomics.notify(this.#words, this.#at + ACTIVE, 1);
  }
}

/** What a handler thread takes groups from. */
export class WorkSource {
  readonly batch: Int32Array;
  readonly #ring: SpmcConsumer;
  readonly #handlers: number;

  /** `handlers` share the ring; none takes more than its share of what waits, nor more than `most`. */
  constructor(system: IopfSystem, self: ThreadSelf, handlers: number, most: number) {
    this.#ring = new SpmcConsumer(system.words, system.work, self);
    this.#handlers = handlers;
    this.batch = new Int32Array(most);
  }

  /** @returns how many groups now stand in {@link batch}: 0 when none waits. */
  take(): number {
    const waiting = this.#ring.size();
    if (waiting === 0) return 0;
    const share = Math.ceil(waiting / this.#handlers);
    return this.#ring.take(this.batch, Math.min(share, this.batch.length));
  }
  park(timeoutMs: number): void {
    this.#ring.park(timeoutMs);
  }
}

/** Returns when every group queued before the call has been handled: the ring has passed it, and each thread that may have
 * had it in hand has passed a quiescent state. Context: a thread with an event loop. @see Linux flush_workqueue() */
export async function flushWork(system: IopfSystem): Promise<void> {
  const ring = new SpmcConsumer(system.words, system.work, system.self);
  const target = ring.published();
  while (((ring.taken() - target) | 0) < 0) await immediate();
  await system.rcu.synchronizeAsync();
}
