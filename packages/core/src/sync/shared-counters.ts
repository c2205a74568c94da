// One word an object, on its own line: each add and sub is an atomic read-modify-write that all threads take turns at.
import { checkInteger, IommuError } from '../errors/index.ts';
import { CounterWaiting } from './counter-waiting.ts';
import { COUNT, DRAINING } from './counters.layout.ts';
import { LINE, type ThreadSelf, type Words } from './thread-self.ts';

/** A bank of counters, each in one word. Exact at any time. */
export class SharedCounters extends CounterWaiting {
  constructor(words: Words, base: number, self: ThreadSelf) {
    super(words, base);
    checkInteger('SharedCounters', 'self.id', self.id, 1, this.threads);
  }

  /** Counts `n` up. @throws IommuError EINVAL no such object. */
  add(object: number, n: number): void {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    Atomics.add(this.words, this.lines + object * LINE + COUNT, n);
  }

  /** Counts `n` down, and wakes who waits for zero. @throws IommuError EINVAL underflow (the count is put back), no such object. */
  sub(object: number, n: number): void {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    const line = this.lines + object * LINE;
    const found = Atomics.sub(this.words, line + COUNT, n); // [W]
    if (found < n) {
      Atomics.add(this.words, line + COUNT, n);
      throw new IommuError('EINVAL', 'SharedCounters.sub', 'n', n, `object ${object} counts only ${found}`);
    }
    if (Atomics.load(this.words, line + DRAINING) !== 0) this.wake(line); // [W]
  }

  override read(object: number): number {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    return Atomics.load(this.words, this.lines + object * LINE + COUNT);
  }
}
