// A mailbox: an MPSC ring of fixed-width events, and the doorbell of the thread that reads it. With the ring's commit word an
// event is 8 words, so that it never straddles a line.
//
// Ordering. The payload is published by the ring. Between mailbox and sleep stands the doorbell's edge:
//   [W] send: the event, then SEQ (ring)   pairs with   a host's sleep: SEQ (prepare), then hasEvents
import { initMpsc, MpscConsumer, MpscProducer, mpscWords } from '../ring/index.ts';
import { Doorbell, doorbellWords, initDoorbell, type Words } from '../sync/index.ts';

/** Offsets within an event. The eighth word is the ring's own. */
export const MAIL_ACTOR = 0; // whom it is for: an actor's id, 0 = the host itself
export const MAIL_CODE = 1; // event code; towards the main thread a state code
export const MAIL_SENDER = 2; // the sending actor's id, 0 = none; towards the main thread the host's number
export const MAIL_A = 3; // A to D: the event's own
export const MAIL_B = 4;
export const MAIL_C = 5;
export const MAIL_D = 6;
export const MAIL_WORDS = 7;

/** Words of a mailbox of `entries` events (a power of two), its doorbell included. @throws IommuError EINVAL */
export function mailboxWords(entries: number): number {
  return doorbellWords() + mpscWords(entries, MAIL_WORDS);
}

/** Makes an empty mailbox at `base`. Once, before it is shared. */
export function initMailbox(words: Words, base: number, entries: number): void {
  initDoorbell(words, base);
  initMpsc(words, base + doorbellWords(), entries, MAIL_WORDS);
}

/** The doorbell of a mailbox's reader: whoever gives one of its pumps work rings this. */
export function mailboxDoorbell(words: Words, base: number): Doorbell {
  return new Doorbell(words, base);
}

/** Writes into a mailbox. One a sending thread. */
export class MailboxSender {
  readonly #words: Words;
  readonly #ring: MpscProducer;
  readonly #doorbell: Doorbell;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#ring = new MpscProducer(words, base + doorbellWords());
    this.#doorbell = mailboxDoorbell(words, base);
  }

  /** @returns false when the mailbox is full: nothing was sent. Never blocks; notifies only a reader that sleeps. */
  send(actor: number, code: number, sender: number, a: number, b: number, c: number, d: number): boolean {
    const slot = this.#ring.claim();
    if (slot === 0) return false;
    const words = this.#words;
    words[slot + MAIL_ACTOR] = actor;
    words[slot + MAIL_CODE] = code;
    words[slot + MAIL_SENDER] = sender;
    words[slot + MAIL_A] = a;
    words[slot + MAIL_B] = b;
    words[slot + MAIL_C] = c;
    words[slot + MAIL_D] = d;
    this.#ring.publish(slot);
    this.#doorbell.ring(); // [W]
    return true;
  }
}

/** Takes one event; its words are numbers of the caller's by then. */
export type Deliver = (actor: number, code: number, sender: number, a: number, b: number, c: number, d: number) => void;

/** Reads a mailbox. One, in the thread that owns it. */
export class MailboxReceiver {
  readonly #words: Words;
  readonly #ring: MpscConsumer;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#ring = new MpscConsumer(words, base + doorbellWords());
  }

  hasEvents(): boolean {
    return this.#ring.peek() !== 0; // [W]
  }

  /** Delivers up to `max` events, oldest first. A slot is given back before its event is handled, so that a handler that
   * sends to its own host finds room, and one that throws is not given the same event again. @returns how many. */
  drain(max: number, deliver: Deliver): number {
    const words = this.#words;
    const ring = this.#ring;
    let count = 0;
    for (let slot = ring.peek(); slot !== 0; slot = ring.peek()) {
      const actor = words[slot + MAIL_ACTOR];
      const code = words[slot + MAIL_CODE];
      const sender = words[slot + MAIL_SENDER];
      const a = words[slot + MAIL_A];
      const b = words[slot + MAIL_B];
      const c = words[slot + MAIL_C];
      const d = words[slot + MAIL_D];
      ring.next();
      ring.release();
      deliver(actor, code, sender, a, b, c, d);
      if (++count === max) break;
    }
    return count;
  }
}
