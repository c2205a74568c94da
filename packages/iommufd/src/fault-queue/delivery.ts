// The read end of a fault queue: groups out, oldest first, each under a cookie. Under the queue's lock, so that a group is waiting, or
// delivered under its cookie, or answered automatically, and never between two of these.
import { GROUP_COOKIE, type IopfSystem, REQUEST_WORDS } from '@faultline/core/iopf';
import { MpmcConsumer } from '@faultline/core/ring';
import { mutexLock, mutexUnlock, type Words } from '@faultline/core/sync';
import { CookieTable } from './cookie-table.ts';
import type { GroupKeys } from './group-keys.ts';
import { GONE, QUEUE_LOCK, QUEUE_RING, QUEUE_SLEEPERS, QUEUE_WAKE } from './layout.ts';

/** One thread's read end. */
export class Delivery {
  readonly keys: GroupKeys;
  readonly #system: IopfSystem;
  readonly #words: Words;
  readonly #base: number;
  readonly #ring: MpmcConsumer;

  constructor(system: IopfSystem, base: number, keys: GroupKeys = new CookieTable(system.words, base)) {
    this.#system = system;
    this.#words = system.words;
    this.#base = base;
    this.#ring = new MpmcConsumer(this.#words, base + QUEUE_RING);
    this.keys = keys;
  }

  /** Context: may block, on other readers only; the calls below want the lock. */
  lock(): void {
    mutexLock(this.#words, this.#base + QUEUE_LOCK, this.#system.self);
  }
  unlock(): void {
    mutexUnlock(this.#words, this.#base + QUEUE_LOCK, this.#system.self);
  }

  /** The oldest group that waits, 0 for none. It stays where it is. */
  head(): number {
    let group = this.#ring.peek(0);
    while (group === GONE) {
      this.#ring.pop();
      group = this.#ring.peek(0);
    }
    return group;
  }

  /** Sets a cookie aside for the head. Nobody can answer it until {@link deliver}; {@link abort} leaves the group where it is, whole. */
  reserve(group: number): number {
    const cookie = this.keys.reserve(group);
    this.#words[this.#system.requests.objects + group * REQUEST_WORDS + GROUP_COOKIE] = cookie;
    return cookie;
  }

  /** Delivers the head under its cookie: the group is whoever's answers it. */
  deliver(group: number, cookie: number): void {
    this.#ring.pop();
    this.keys.publish(cookie, group);
  }

  abort(cookie: number): void {
    this.keys.abort(cookie);
  }

  /** The group `ahead` places behind the oldest: 0 none, GONE one that is no more. */
  at(ahead: number): number {
    return this.#ring.peek(ahead);
  }

  /** Takes groups that wait out of the queue: the caller answers and frees each. */
  remove(isMeant: (group: number) => boolean, end: (group: number) => void): void {
    for (let ahead = 0; ; ahead++) {
      const group = this.#ring.peek(ahead);
      if (group === 0) return;
      if (group === GONE || !isMeant(group)) continue;
      this.#ring.replace(ahead, GONE);
      end(group);
    }
  }

  /** Whether a group waits. A reading. Waits for other readers where none is to be seen at the head: it may be behind others that are gone,
   * and only with the lock does the head stay where it is. */
  isWaiting(): boolean {
    const seen = this.#ring.peek(0);
    if (seen !== 0 && seen !== GONE) return true;
    this.lock();
    const group = this.head();
    this.unlock();
    return group !== 0;
  }

  /** Sleeps until groups are published, or for so long. May return early. */
  park(timeoutMs: number): void {
    const words = this.#words;
    Atomics.add(words, this.#base + QUEUE_SLEEPERS, 1); // [W]
    const seen = Atomics.load(words, this.#base + QUEUE_WAKE);
    if (!this.isWaiting()) Atomics.wait(words, this.#base + QUEUE_WAKE, seen, timeoutMs);
    Atomics.sub(words, this.#base + QUEUE_SLEEPERS, 1);
  }

  /** As {@link park}, for event loops; keeps no process alive by itself. */
  async parkAsync(timeoutMs: number): Promise<void> {
    const words = this.#words;
    Atomics.add(words, this.#base + QUEUE_SLEEPERS, 1); // [W]
    const seen = Atomics.load(words, this.#base + QUEUE_WAKE);
    if (!this.isWaiting()) {
      const wait = Atomics.waitAsync(words, this.#base + QUEUE_WAKE, seen, timeoutMs);
      if (wait.async) await wait.value;
    }
    Atomics.sub(words, this.#base + QUEUE_SLEEPERS, 1);
  }

  /** Wakes who sleeps, though nothing was published: a file is closed. */
  wake(): void {
    Atomics.add(this.#words, this.#base + QUEUE_WAKE, 1);
    Atomics.notify(this.#words, this.#base + QUEUE_WAKE);
  }
}
