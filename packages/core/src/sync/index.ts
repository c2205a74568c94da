export {
  type CounterBank,
  type CounterMode,
  counterBankWords,
  initCounterBank,
  openCounterBank,
} from './counters.ts';
export { DeferredFree } from './deferred-free.ts';
export { DOORBELL_LAYOUT, Doorbell, doorbellWords, initDoorbell } from './doorbell.ts';
export { mutexLock, mutexOwner, mutexTryLock, mutexUnlock } from './mutex.ts';
export { rcuLayout } from './rcu.layout.ts';
export { initRcu, Rcu, RcuThread, rcuWords } from './rcu.ts';
export { counterBankLayout } from './counters.layout.ts';
export { SharedCounters } from './shared-counters.ts';
export { SplitCounters } from './split-counters.ts';
export { type Clock, LINE, type ThreadSelf, TICK_NS, TICKS_PER_MS, type Words } from './thread-self.ts';
