// The shared words of one set of readers: which grace period was asked for last, and how far each thread has got.
import { defineLayout, type Layout } from '../memory/layout.ts';
import { LINE } from './thread-self.ts';

export const THREADS = 0;
export const ASKED: number = LINE; // the grace period asked for last: odd, so that it is never 0, also when it wraps
export const DONE: number = 2 * LINE; // a grace period known to be over: saves looking at all threads again
export const WAITERS: number = 3 * LINE; // how many may be asleep on some thread's word
/** Thread i's word is at READERS + i * LINE: the grace period asked for when it last had no references, 0 while offline. */
export const READERS: number = 3 * LINE;

/** The words for threads 1..threads, as a table. */
export function rcuLayout(threads: number): Layout {
  return defineLayout('rcu', [
    { name: 'THREADS', offset: 0, width: 1, unit: 'highest thread', writer: 'init' },
    { name: 'ASKED', offset: 32, width: 1, unit: 'grace period', writer: 'who starts one, by add' },
    { name: 'DONE', offset: 64, width: 1, unit: 'grace period', writer: 'who finds one over' },
    { name: 'WAITERS', offset: 96, width: 1, unit: 'threads', writer: 'who waits, by add' },
    {
      name: 'READERS',
      offset: 128,
      width: threads * LINE,
      unit: 'grace period, a line a thread',
      writer: 'that thread',
    },
  ]);
}
