import { LINE, type Words } from '@faultline/core';
import { OPERATIONS, type Subject, wordsFor } from './subject.ts';

function loads(words: Words, at: number): number {
  let sum = 0;
  for (let i = 0; i < OPERATIONS; i++) sum = (sum + Atomics.load(words, at)) | 0;
  return sum;
}
function stores(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) Atomics.store(words, at, i);
}
function adds(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) Atomics.add(words, at, 1);
}
function exchanges(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) Atomics.compareExchange(words, at, i, i + 1);
  Atomics.store(words, at, 0);
}
function notifies(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) Atomics.notify(words, at, 1);
}
function plainWrites(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) words[at + (i & (LINE - 1))] = i;
}

/** What everything else here is made of. */
export const atomics: Subject = {
  name: 'atomics',
  costs() {
    const { words, base } = wordsFor(LINE);
    return [
      { name: 'plain store, for comparison', operations: OPERATIONS, run: () => plainWrites(words, base) },
      { name: 'Atomics.load', operations: OPERATIONS, run: () => void loads(words, base) },
      { name: 'Atomics.store', operations: OPERATIONS, run: () => stores(words, base) },
      { name: 'Atomics.add', operations: OPERATIONS, run: () => adds(words, base) },
      { name: 'Atomics.compareExchange', operations: OPERATIONS, run: () => exchanges(words, base) },
      { name: 'Atomics.notify, nobody waits', operations: OPERATIONS, run: () => notifies(words, base) },
    ];
  },
};
