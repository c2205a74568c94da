export { type Clock, LINE, type ThreadSelf, TICK_NS, TICKS_PER_MS, type Words } from './thread-self.ts';
