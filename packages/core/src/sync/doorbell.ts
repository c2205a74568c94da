// What a thread sleeps on when it has nothing to do. Many ring, one sleeps.
//
// Ordering.
//   [W] ring: work (of the caller), SEQ, then PARKED    pairs with  prepare: SEQ, PARKED, then the caller looks for work
// (What the edge needs is work before PARKED; SEQ only has to change before the notify.)
// Store-then-load on both sides. A ring that finds PARKED at 0 had its work out before the sleeper looked; one that finds 1
// has changed SEQ since the sleeper read it, or will notify. So work that was rung for is never slept on.
import { defineLayout, type Layout } from '../memory/layout.ts';
import { checkRegion } from '../memory/region.ts';
import { checkTimeout } from './deadline.ts';
import { LINE, type Words } from './thread-self.ts';

const SEQ = 0;
const PARKED = LINE;

export const DOORBELL_LAYOUT: Layout = defineLayout('doorbell', [
  { name: 'SEQ', offset: 0, width: 1, unit: 'rings', writer: 'who rings, by add' },
  { name: 'PARKED', offset: 32, width: 1, unit: '1 while it may be asleep', writer: 'the sleeper' },
]);

export function doorbellWords(): number {
  return 2 * LINE;
}

/** Lays a doorbell out over zeroed words. @throws IommuError EINVAL */
export function initDoorbell(words: Words, base: number): void {
  checkRegion('initDoorbell', words, base, doorbellWords());
}

/** A doorbell. Any thread may ring; one thread sleeps on it, by {@link sleep} or by prepare, sleepAsync, awake. */
export class Doorbell {
  readonly #words: Words;
  readonly #seq: number;
  readonly #parked: number;

  constructor(words: Words, base: number) {
    checkRegion('Doorbell', words, base, doorbellWords());
    this.#words = words;
    this.#seq = base + SEQ;
    this.#parked = base + PARKED;
  }

  /** Says that there is work, which the caller has made visible before. Never blocks. */
  ring(): void {
    Atomics.add(this.#words, this.#seq, 1);
    // To all: a waitAsync that its host stopped caring about is still queued, and must not take a notify meant for the next one.
    if (Atomics.load(this.#words, this.#parked) === 1) Atomics.notify(this.#words, this.#seq); // [W]
  }

  /** Sleeps until rung, or until `timeoutMs` passed. Returns at once if `hasWork` finds some, and may return for no reason.
   * Context: blocks. @throws IommuError EINVAL timeoutMs. */
  sleep(hasWork: () => boolean, timeoutMs: number): void {
    checkTimeout('Doorbell.sleep', timeoutMs);
    const seen = this.prepare();
    try {
      if (!hasWork()) Atomics.wait(this.#words, this.#seq, seen, timeoutMs);
    } finally {
      this.awake();
    }
  }

  /** First step towards sleeping: from here on rings notify. Then look for work; with none, {@link sleepAsync}; in the end {@link awake}.
   * @returns what to hand to sleepAsync. */
  prepare(): number {
    const seen = Atomics.load(this.#words, this.#seq);
    Atomics.store(this.#words, this.#parked, 1); // [W]
    return seen;
  }

  /** @returns a promise of the next ring (or of `timeoutMs`), or undefined when it has rung since {@link prepare}.
   * The promise keeps no process alive by itself; it may be dropped. */
  sleepAsync(seen: number, timeoutMs: number = Infinity): Promise<unknown> | undefined {
    checkTimeout('Doorbell.sleepAsync', timeoutMs);
    const wait = Atomics.waitAsync(this.#words, this.#seq, seen, timeoutMs);
    return wait.async ? wait.value : undefined;
  }

  /** The sleeper is up: rings need not notify. */
  awake(): void {
    Atomics.store(this.#words, this.#parked, 0);
  }

  /** How often it was rung, wrapping: for reports. */
  rings(): number {
    return Atomics.load(this.#words, this.#seq);
  }
}
