// One host's life: mailbox and pumps in slices, on the event loop. Between slices promises, timers, signals and the inspector
// get their turn; with nothing to do the host sleeps on its doorbell by waitAsync, so that they get it then too.
import type { Doorbell, RcuThread } from '../sync/index.ts';
import type { Deliver, MailboxReceiver } from './mailbox.ts';
import type { PumpSet } from './pumps.ts';

const SLICE_MS = 1;
const EVENTS_PER_ROUND = 64;
const PUMP_BUDGET = 256;
/** Empty rounds between two looks at the clock: a look costs as much as several of them. */
const ROUNDS_PER_LOOK = 64;
/** How long pumps may go on emptying what is left after a stop. */
const STOP_DRAIN_MS = 500;
const FOREVER_MS = 2 ** 31 - 1;

/** What a host did. */
export interface LoopCounts {
  /** Events taken from the mailbox. */
  events: number;
  /** Items that pumps moved. */
  pumped: number;
  slices: number;
  sleeps: number;
}

export interface HostLoopParts {
  readonly mailbox: MailboxReceiver;
  readonly doorbell: Doorbell;
  readonly rcu: RcuThread;
  readonly pumps: PumpSet;
  /** Rounds without work before a sleep. */
  readonly spins: number;
  readonly deliver: Deliver;
}

export class HostLoop {
  readonly counts: LoopCounts = { events: 0, pumped: 0, slices: 0, sleeps: 0 };
  readonly #parts: HostLoopParts;
  /** Rounds without work since the last one that had some. */
  #idle = 0;
  /** When to stop at the latest, 0 while not asked to. */
  #stopAt = 0;

  constructor(parts: HostLoopParts) {
    this.#parts = parts;
  }

  get stopping(): boolean {
    return this.#stopAt !== 0;
  }

  /** Asks the loop to end: it takes what is in the mailbox, lets the pumps run empty for at most half a second, and returns. */
  stop(): void {
    if (this.#stopAt === 0) this.#stopAt = performance.now() + STOP_DRAIN_MS;
  }

  /** Runs until {@link stop}. Rejects with whatever a pump or a receiver throws. */
  async run(): Promise<LoopCounts> {
    const { rcu } = this.#parts;
    const alive = setInterval(() => {}, FOREVER_MS); // waitAsync keeps no thread alive
    rcu.online();
    try {
      for (;;) {
        const goOn = this.#slice();
        if (this.stopping && (!goOn || performance.now() >= this.#stopAt)) return this.counts;
        if (goOn) await turnOfEventLoop();
        else await this.#sleep();
      }
    } finally {
      rcu.offline();
      clearInterval(alive);
    }
  }

  /** Works for about a millisecond, or until there has been nothing to do for long enough.
   * @returns whether to come back after a turn of the event loop; otherwise it is time to sleep. */
  #slice(): boolean {
    const { rcu, spins } = this.#parts;
    const end = performance.now() + SLICE_MS;
    let worked = false;
    rcu.quiescent();
    this.counts.slices++;
    for (;;) {
      if (this.#round() > 0) {
        worked = true;
        this.#idle = 0;
        if (performance.now() >= end) return true;
      } else if (this.stopping || ++this.#idle > spins) {
        return worked; // after work: promises that it settled may have some more for us
      } else if (this.#idle % ROUNDS_PER_LOOK === 0 && performance.now() >= end) {
        return true;
      }
    }
  }

  #round(): number {
    const { mailbox, pumps, deliver } = this.#parts;
    const events = mailbox.drain(EVENTS_PER_ROUND, deliver);
    const active = pumps.active;
    let pumped = 0;
    for (let i = 0; i < active.length; i++) pumped += active[i].run(PUMP_BUDGET);
    this.counts.events += events;
    this.counts.pumped += pumped;
    return events + pumped;
  }

  /** Announces, looks once more, and waits for a ring. */
  async #sleep(): Promise<void> {
    const { doorbell, mailbox, pumps, rcu } = this.#parts;
    this.#idle = 0;
    const seen = doorbell.prepare();
    const rung = mailbox.hasEvents() || pumps.hasWork() ? undefined : doorbell.sleepAsync(seen);
    if (rung === undefined) {
      doorbell.awake();
      return turnOfEventLoop(); // not a microtask: a ringer that never rests must not shut out timers
    }
    this.counts.sleeps++;
    rcu.offline();
    await rung;
    rcu.online();
    doorbell.awake();
  }
}

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
