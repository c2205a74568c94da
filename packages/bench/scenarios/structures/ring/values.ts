// Values from 1 to 99, several of them as one number: what a thread's run returns.
import type { Words } from '@faultline/bench/explore';

export function append(values: number, value: number): number {
  return values * 100 + value;
}

export function valuesOf(values: number): number[] {
  return values === 0 ? [] : [...valuesOf(Math.floor(values / 100)), values % 100];
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

/** @throws Error unless `taken` is what was pushed, each value once, and each producer's (the tens) in the order pushed. */
export function assertHandedOver(pushed: readonly number[], taken: readonly number[]): void {
  const seen = `pushed ${pushed.join(' ')}; taken ${taken.join(' ')}`;
  if (pushed.toSorted().join() !== taken.toSorted().join()) throw new Error(`lost, doubled or made up: ${seen}`);
  for (const value of pushed) {
    const producer = Math.floor(value / 10);
    const of = (values: readonly number[]): string => values.filter((v) => Math.floor(v / 10) === producer).join();
    if (of(pushed) !== of(taken)) throw new Error(`out of order: ${seen}`);
  }
}
