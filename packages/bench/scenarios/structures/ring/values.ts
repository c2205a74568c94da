// Values from 1 to 9, several of them as one number: what a thread's run returns.
import type { Words } from '@faultline/bench/explore';

export function append(values: number, value: number): number {
  return values * 10 + value;
}

export function valuesOf(values: number): number[] {
  return values === 0 ? [] : [...valuesOf(Math.floor(values / 10)), values % 10];
}

/** Fills a slot of two words. */
export function fill(words: Words, slot: number, value: number): void {
  words[slot] = value;
  words[slot + 1] = value;
}

/** Empties one. @throws Error when its two words are not of one value. */
export function read(words: Words, slot: number): number {
  const value = words[slot];
  if (words[slot + 1] !== value) throw new Error(`torn: ${value} and ${words[slot + 1]} in one slot`);
  return value;
}

/** @throws Error unless `taken` is what the producers pushed, each value once, and those of one producer in the order pushed. */
export function assertHandedOver(pushed: readonly (readonly number[])[], taken: readonly number[]): void {
  const seen = `pushed ${pushed.map((values) => values.join(' ')).join(' and ')}, taken ${taken.join(' ')}`;
  if (pushed.flat().toSorted().join() !== taken.toSorted().join()) throw new Error(`lost, doubled or made up: ${seen}`);
  for (const values of pushed)
    if (taken.filter((value) => values.includes(value)).join() !== values.join())
      throw new Error(`out of order: ${seen}`);
}
