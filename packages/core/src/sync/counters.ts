// Banks of counters that somebody may wait to see at zero: references, pending faults. Two kinds behind the same calls:
// `shared`, one word an object, and `split`, one word a thread and object.
import { checkInteger, IommuError } from '../errors/index.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { MODE, MODE_SHARED, MODE_SPLIT, OBJECTS, rowsOffset, rowWords, THREADS } from './counters.layout.ts';
import { SharedCounters } from './shared-counters.ts';
import { SplitCounters } from './split-counters.ts';
import type { ThreadSelf, Words } from './thread-self.ts';

export type CounterMode = 'shared' | 'split';
export type CounterBank = SharedCounters | SplitCounters;

const MAX = 65535;

/** Words of a bank of counters 0..objects for threads 1..threads. @throws IommuError EINVAL */
export function counterBankWords(objects: number, threads: number, mode: CounterMode): number {
  checkInteger('counterBankWords', 'objects', objects, 1, MAX);
  checkInteger('counterBankWords', 'threads', threads, 1, MAX);
  if (mode !== 'shared' && mode !== 'split')
    throw new IommuError('EINVAL', 'counterBankWords', 'mode', mode, "must be 'shared' or 'split'");
  return alignLine(rowsOffset(objects) + (mode === 'split' ? threads * rowWords(objects) : 0));
}

/** Lays a bank out over zeroed words. @throws IommuError EINVAL as {@link counterBankWords}, or when it does not fit. */
export function initCounterBank(words: Words, base: number, objects: number, threads: number, mode: CounterMode): void {
  checkRegion('initCounterBank', words, base, counterBankWords(objects, threads, mode));
  words[base + OBJECTS] = objects;
  words[base + THREADS] = threads;
  words[base + MODE] = mode === 'split' ? MODE_SPLIT : MODE_SHARED;
}

/** Opens a bank for one thread. @throws IommuError EINVAL no bank was laid out at `base`, or `self.id` has no row in it. */
export function openCounterBank(words: Words, base: number, self: ThreadSelf): CounterBank {
  checkRegion('openCounterBank', words, base, 1);
  const mode = words[base + MODE];
  if (mode !== MODE_SHARED && mode !== MODE_SPLIT)
    throw new IommuError('EINVAL', 'openCounterBank', 'base', base, 'no counter bank was laid out here');
  return mode === MODE_SPLIT ? new SplitCounters(words, base, self) : new SharedCounters(words, base, self);
}
