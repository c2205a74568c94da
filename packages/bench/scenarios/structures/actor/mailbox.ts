import { type Context, type Region, scenario } from '@faultline/bench/explore';
import { initMailbox, MailboxReceiver, MailboxSender, mailboxDoorbell, mailboxWords } from '@faultline/core/actor';
import type { Doorbell } from '@faultline/core/sync';

const ENTRIES = 2;
const memory: readonly Region[] = [
  {
    name: 'mailbox',
    words: mailboxWords(ENTRIES),
    fields: {
      'doorbell.SEQ': 0,
      'doorbell.PARKED': 32,
      PROD: 96,
      CONS: 128,
      'event[0].COMMIT': 192,
      'event[0]': 193,
      'event[1].COMMIT': 200,
      'event[1]': 201,
    },
  },
];
const setup = ({ words, at }: Context): void => initMailbox(words, at('mailbox'), ENTRIES);
const openSender = ({ words, at }: Context): MailboxSender => new MailboxSender(words, at('mailbox'));

/** Sends events whose words all tell which one it is. */
function send(sender: MailboxSender, event: number): boolean {
  return sender.send(event, event + 1, event + 2, event + 3, event + 4, event + 5, event + 6);
}

/** A reader, and the events that it took. */
class Reader {
  readonly mailbox: MailboxReceiver;
  readonly doorbell: Doorbell;
  readonly events: number[] = [];

  constructor({ words, at }: Context) {
    this.mailbox = new MailboxReceiver(words, at('mailbox'));
    this.doorbell = mailboxDoorbell(words, at('mailbox'));
  }

  drain(): void {
    this.mailbox.drain(ENTRIES, (...event) => {
      for (let word = 0; word < event.length; word++)
        if (event[word] !== event[0] + word) throw new Error(`torn event: ${event.join(' ')}`);
      this.events.push(event[0]);
    });
  }

  /** Reads until `count` events have come, asleep while there are none. */
  read(count: number): void {
    for (this.drain(); this.events.length < count; this.drain())
      this.doorbell.sleep(() => this.mailbox.hasEvents(), Number.POSITIVE_INFINITY);
  }

  /** The same on an event loop, as a host does it. */
  async readAsync(count: number): Promise<void> {
    for (this.drain(); this.events.length < count; this.drain()) {
      const seen = this.doorbell.prepare();
      if (!this.mailbox.hasEvents()) await this.doorbell.sleepAsync(seen);
      this.doorbell.awake();
    }
  }
}

export const mailbox = scenario(import.meta.url, {
  name: 'structures/mailbox',
  about: 'Two threads send, the reader sleeps on its doorbell: is every event read, once, whole, and none slept on?',
  source: 'core/src/actor/mailbox.ts',
  memory,
  setup,
  threads: {
    alice: { open: openSender, run: (_, sender: MailboxSender) => void send(sender, 10) },
    bob: { open: openSender, run: (_, sender: MailboxSender) => void send(sender, 20) },
    reader: {
      open: (context): Reader => new Reader(context),
      run(_, reader: Reader) {
        reader.read(2);
        if (reader.events.toSorted().join() !== '10,20') throw new Error(`read ${reader.events.join(' ')}`);
      },
    },
  },
});

export const mailboxLaps = scenario(import.meta.url, {
  name: 'structures/mailbox-laps',
  about:
    'A sender is refused by a full mailbox and comes back: do its events arrive in order, over the end of the ring?',
  source: 'core/src/actor/mailbox.ts',
  memory,
  setup,
  threads: {
    sender: {
      open: openSender,
      run(_, sender: MailboxSender) {
        for (const event of [10, 20, 30]) while (!send(sender, event));
      },
    },
    reader: {
      open: (context): Reader => new Reader(context),
      run(_, reader: Reader) {
        while (reader.events.length < 3) reader.drain();
        if (reader.events.join() !== '10,20,30') throw new Error(`read ${reader.events.join(' ')}`);
      },
    },
  },
});

export const mailboxAsync = scenario(import.meta.url, {
  name: 'structures/mailbox-async',
  about: 'The reader sleeps as a host does, by prepare, a look and waitAsync: is an event slept on?',
  source: 'core/src/actor/host-loop.ts',
  memory,
  setup,
  threads: {
    sender: {
      open: openSender,
      run(_, sender: MailboxSender) {
        send(sender, 10);
        send(sender, 20);
      },
    },
    host: {
      open: (context): Reader => new Reader(context),
      async run(_, reader: Reader) {
        await reader.readAsync(2);
        if (reader.events.join() !== '10,20') throw new Error(`read ${reader.events.join(' ')}`);
      },
    },
  },
});

export const mailboxAbandoned = scenario(import.meta.url, {
  name: 'structures/mailbox-abandoned',
  about: 'A host gives up one waitAsync, woken by something else, and starts another: does the old one take its ring?',
  source: 'core/src/sync/doorbell.ts',
  memory,
  setup,
  threads: {
    sender: { open: openSender, run: (_, sender: MailboxSender) => void send(sender, 10) },
    host: {
      open: (context): Reader => new Reader(context),
      async run(_, reader: Reader) {
        void reader.doorbell.sleepAsync(reader.doorbell.prepare());
        reader.doorbell.awake();
        await reader.readAsync(1);
      },
    },
  },
});
