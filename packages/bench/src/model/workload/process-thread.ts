import type { RwLock } from '../machine/rw-lock.ts';
import { SLEEP, Thread } from '../machine/thread.ts';

/** A thread of the process that the jobs belong to: it changes mappings, and waits for the hardware to have seen that. */
export abstract class ProcessThread extends Thread {
  /** Invalidations of its that are not complete. */
  syncs = 0;
  /** How often it has the mmap lock shared: until they are. */
  reads = 0;
  readonly #lock: RwLock;

  constructor(lock: RwLock) {
    super('device');
    this.#lock = lock;
  }

  step(now: number): number {
    if (this.syncs > 0) return SLEEP;
    for (; this.reads > 0; this.reads--) this.#lock.endRead();
    return this.run(now);
  }

  /** {@link step}, with nothing to wait for. */
  protected abstract run(now: number): number;
}
