export {
  complete,
  completeAll,
  completionWords,
  reinitCompletion,
  tryWaitForCompletion,
  waitForCompletion,
  waitForCompletionAsync,
} from './completion.ts';
export { counterBankLayout } from './counters.layout.ts';
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
export {
  REFCOUNT_SATURATED,
  refcountGet,
  refcountIncNotZero,
  refcountInit,
  refcountPut,
  refcountRead,
} from './refcount.ts';
export {
  initRwlock,
  RWLOCK_LAYOUT,
  readLock,
  readUnlock,
  rwlockReaders,
  rwlockWords,
  rwlockWriter,
  tryReadLock,
  tryWriteLock,
  writeLock,
  writeUnlock,
} from './rwlock.ts';
export { SharedCounters } from './shared-counters.ts';
export { SplitCounters } from './split-counters.ts';
export { type Clock, LINE, type ThreadSelf, TICK_NS, TICKS_PER_MS, type Words } from './thread-self.ts';
