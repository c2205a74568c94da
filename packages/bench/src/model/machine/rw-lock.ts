import type { Engine, Target } from '../engine/engine.ts';
import type { Processors } from './processors.ts';
import { SLEEP, type Thread } from './thread.ts';

/** How long a sleeper lets others take a lock that is free ahead of it: then it is handed over. Linux: kernel/locking/rwsem.c */
const HANDOFF_NS = 4e6;

/** Linux's rwsem, as far as who goes first: readers share; a writer that waits keeps new readers from joining those inside; those
 * asleep go in turn, readers together; whoever comes while it is free takes it, but not from one that has slept for long. */
export class RwLock implements Target {
  readonly #engine: Engine;
  readonly #processors: Processors;
  readonly #id: number;
  readonly #waiters: { readonly thread: Thread; readonly writes: boolean; readonly since: number }[] = [];
  #readUntil = 0; // by readers that know how long
  #readers = 0; // others
  #writeUntil = 0;
  #admitted = 0; // readers that were woken and have not come yet
  #armed = false;
  writeNs = 0;
  contended = 0;

  constructor(engine: Engine, processors: Processors) {
    this.#engine = engine;
    this.#processors = processors;
    this.#id = engine.register(this);
  }

  /** @returns whether `thread` has the lock shared until `until`; if not it sleeps, and asks again when woken. */
  read(now: number, thread: Thread, until: number): boolean {
    if (!this.#mayRead(now)) return this.#wait(thread, false);
    if (this.#admitted > 0) this.#admitted--;
    if (until > this.#readUntil) this.#readUntil = until;
    return true;
  }

  /** Shared, if that needs no waiting, until {@link endRead}. */
  tryRead(now: number): boolean {
    if (now < this.#writeUntil || this.#waiters.length > 0) return false;
    this.#readers++;
    return true;
  }
  endRead(): void {
    this.#readers--;
    if (this.#waiters.length > 0) this.#arm();
  }

  /** Takes the lock alone for `hold`. @returns the time that takes, or SLEEP: ask again when woken. */
  write(now: number, thread: Thread, hold: number): number {
    const isFirst = this.#waiters.length > 0 && this.#waiters[0].thread === thread;
    const isFree = now >= this.#writeUntil && now >= this.#readUntil && this.#readers === 0;
    if (!isFree || !(isFirst || this.#mayPass(now))) {
      if (isFirst) this.#arm();
      else this.#wait(thread, true);
      return SLEEP;
    }
    if (isFirst) this.#waiters.shift();
    this.#writeUntil = now + hold;
    this.writeNs += hold;
    if (this.#waiters.length > 0) this.#arm();
    return hold;
  }

  #mayRead(now: number): boolean {
    if (now < this.#writeUntil) return false;
    return this.#admitted > 0 || this.#mayPass(now, now >= this.#readUntil && this.#readers === 0);
  }

  /** Whether a lock that `isFree` may be taken ahead of those asleep. */
  #mayPass(now: number, isFree = true): boolean {
    return this.#waiters.length === 0 || (isFree && now - this.#waiters[0].since < HANDOFF_NS);
  }

  #wait(thread: Thread, writes: boolean): false {
    this.contended++;
    this.#waiters.push({ thread, writes, since: this.#engine.now });
    this.#arm();
    return false;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#engine.schedule(Math.max(this.#engine.now, this.#writeUntil, this.#readUntil), this.#id, 0);
  }

  fire(): void {
    const { now } = this.#engine;
    this.#armed = false;
    const [first] = this.#waiters;
    if (first === undefined) return;
    if (now < this.#writeUntil || (first.writes && now < this.#readUntil)) {
      this.#arm();
      return;
    }
    if (first.writes) {
      if (this.#readers === 0) this.#processors.wake(first.thread); // it stays first until it has come; else the last reader comes here
      return;
    }
    while (this.#waiters.length > 0 && !this.#waiters[0].writes) {
      const reader = this.#waiters.shift();
      if (reader === undefined) break;
      this.#admitted++;
      this.#processors.wake(reader.thread);
    }
    if (this.#waiters.length > 0) this.#arm();
  }
}
