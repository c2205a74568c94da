import {
  type CounterBank,
  type CounterMode,
  counterBankWords,
  initCounterBank,
  openCounterBank,
} from '@faultline/core';
import { type Cost, OPERATIONS, SELF, type Subject, wordsFor } from './subject.ts';

const THREADS = 4;

function addAndSub(bank: CounterBank): void {
  for (let i = 0; i < OPERATIONS; i++) {
    bank.add(1, 1);
    bank.sub(1, 1);
  }
}

function cost(mode: CounterMode): Cost {
  const { words, base } = wordsFor(counterBankWords(4, THREADS, mode));
  initCounterBank(words, base, 4, THREADS, mode);
  const bank = openCounterBank(words, base, SELF);
  return { name: `${mode} counter add and sub`, operations: OPERATIONS, run: () => addAndSub(bank) };
}

/** Counting what is in flight: in one word, or in one word a thread. */
export const counters: Subject = { name: 'counters', costs: () => [cost('shared'), cost('split')] };
