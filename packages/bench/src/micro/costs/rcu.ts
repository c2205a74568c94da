import { initRcu, Rcu, RcuThread, rcuWords } from '@faultline/core';
import { OPERATIONS, SELF, type Subject, wordsFor } from './subject.ts';

function quiescents(thread: RcuThread): void {
  for (let i = 0; i < OPERATIONS; i++) thread.quiescent();
}
function gracePeriods(rcu: Rcu, thread: RcuThread): void {
  for (let i = 0; i < OPERATIONS; i++) {
    const period = rcu.startGracePeriod();
    thread.quiescent();
    rcu.isDone(period);
  }
}

/** Telling that nothing is held any more: once a loop, whether or not somebody asks. */
export const rcu: Subject = {
  name: 'rcu',
  costs() {
    const { words, base } = wordsFor(rcuWords(4));
    initRcu(words, base, 4);
    const all = new Rcu(words, base);
    const thread = new RcuThread(words, base, SELF);
    thread.online();
    return [
      { name: 'quiescent, nobody asks', operations: OPERATIONS, run: () => quiescents(thread) },
      { name: 'grace period, one thread of 4 online', operations: OPERATIONS, run: () => gracePeriods(all, thread) },
    ];
  },
};
