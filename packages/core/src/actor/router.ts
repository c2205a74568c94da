import type { Arena } from '../memory/index.ts';
import { mailboxRegion } from './actor-regions.ts';
import { MailboxSender } from './mailbox.ts';
import type { NameTable } from './name-table.ts';
import type { Placement } from './placement.ts';

/** A way to one actor with one event, looked up once: what {@link send} does is a ring write. */
export class EventPort {
  readonly #sender: MailboxSender;
  readonly #actor: number;
  readonly #code: number;
  readonly #from: number;

  constructor(sender: MailboxSender, actor: number, code: number, from: number) {
    this.#sender = sender;
    this.#actor = actor;
    this.#code = code;
    this.#from = from;
  }

  /** @returns false when the actor's mailbox is full: nothing was sent. */
  send(a: number = 0, b: number = 0, c: number = 0, d: number = 0): boolean {
    return this.#sender.send(this.#actor, this.#code, this.#from, a, b, c, d);
  }
}

/** One thread's ways to all actors. */
export class Router {
  readonly #arena: Arena;
  readonly #placement: Placement;
  readonly #events: NameTable;
  #senders: MailboxSender[] = [];

  constructor(arena: Arena, placement: Placement, events: NameTable) {
    this.#arena = arena;
    this.#placement = placement;
    this.#events = events;
  }

  /** @param actor, from name or id; from 0 = no actor. @throws IommuError ENOENT no such actor, or no such event */
  port(actor: string | number, event: string, from: string | number = 0): EventPort {
    const id = this.#placement.id(actor);
    const sender = from === 0 ? 0 : this.#placement.id(from);
    return new EventPort(this.toHost(this.#placement.hostOf(id)), id, this.#events.code(event), sender);
  }

  /** @returns false when the actor's mailbox is full: nothing was sent. @throws IommuError ENOENT no such actor, or no such event */
  send(actor: string | number, event: string, a: number, b: number, c: number, d: number): boolean {
    const id = this.#placement.id(actor);
    return this.toHost(this.#placement.hostOf(id)).send(id, this.#events.code(event), 0, a, b, c, d);
  }

  /** The mailbox of a host; 0 is the main thread's. */
  toHost(host: number): MailboxSender {
    this.#senders[host] ??= new MailboxSender(this.#arena.words, this.#arena.base(mailboxRegion(host)));
    return this.#senders[host];
  }
}
