import type { MailboxSender } from './mailbox.ts';

const RETRY_MS = 1;

/** A host's reports to the main thread. None is lost and none overtakes another: what finds the mailbox full waits here. */
export class Outbox {
  readonly #to: MailboxSender;
  readonly #host: number;
  /** Reports kept back, oldest first, as actor and code in turn. */
  #kept: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #emptied: (() => void) | undefined;

  constructor(to: MailboxSender, host: number) {
    this.#to = to;
    this.#host = host;
  }

  report(actor: number, code: number): void {
    if (this.#kept.length === 0 && this.#to.send(actor, code, this.#host, 0, 0, 0, 0)) return;
    this.#kept.push(actor, code);
    this.#timer ??= setInterval(() => this.#retry(), RETRY_MS);
  }

  /** Resolves once everything has been sent. */
  emptied(): Promise<void> {
    if (this.#kept.length === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#emptied = resolve));
  }

  #retry(): void {
    let sent = 0;
    while (sent < this.#kept.length && this.#to.send(this.#kept[sent], this.#kept[sent + 1], this.#host, 0, 0, 0, 0))
      sent += 2;
    this.#kept.splice(0, sent);
    if (this.#kept.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#emptied?.();
  }
}
