import type { Arena } from '../memory/index.ts';
import type { Doorbell } from '../sync/index.ts';
import { mailboxRegion } from './actor-regions.ts';
import { type Deliver, MailboxReceiver, mailboxDoorbell } from './mailbox.ts';

const REPORTS_PER_TURN = 256;

/** The main thread's mailbox: reports of all hosts, taken between turns of its event loop, slept on by waitAsync. */
export class Inbox {
  readonly #receiver: MailboxReceiver;
  readonly #doorbell: Doorbell;
  readonly #deliver: Deliver;
  #closed = false;

  constructor(arena: Arena, deliver: Deliver) {
    const base = arena.base(mailboxRegion(0));
    this.#receiver = new MailboxReceiver(arena.words, base);
    this.#doorbell = mailboxDoorbell(arena.words, base);
    this.#deliver = deliver;
  }

  /** Delivers what has arrived up to now. For whoever is about to say that a host has ended: its reports come first. */
  drain(): void {
    while (this.#receiver.drain(REPORTS_PER_TURN, this.#deliver) > 0);
  }

  /** Delivers until {@link close}. Rejects with what `deliver` throws. */
  async listen(): Promise<void> {
    while (!this.#closed) {
      if (this.#receiver.drain(REPORTS_PER_TURN, this.#deliver) > 0) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const seen = this.#doorbell.prepare();
      if (!this.#closed && !this.#receiver.hasEvents()) await this.#doorbell.sleepAsync(seen);
      this.#doorbell.awake();
    }
  }

  close(): void {
    this.#closed = true;
    this.#doorbell.ring();
  }
}
