import type { Mutant } from '../mutant.ts';

const module = 'core/src/actor/mailbox.ts';
const doorbell = 'core/src/sync/doorbell.ts';

export const mailboxMutants: readonly Mutant[] = [
  {
    name: 'the doorbell rings before the event is published',
    module,
    find: `    this.#ring.publish(slot);
    this.#doorbell.ring(); // [W]`,
    replace: `    this.#doorbell.ring();
    this.#ring.publish(slot);`,
    scenario: 'structures/mailbox',
  },
  {
    name: 'the event is published before its words are written',
    module,
    find: `    words[slot + MAIL_ACTOR] = actor;
    words[slot + MAIL_CODE] = code;
    words[slot + MAIL_SENDER] = sender;
    words[slot + MAIL_A] = a;
    words[slot + MAIL_B] = b;
    words[slot + MAIL_C] = c;
    words[slot + MAIL_D] = d;
    this.#ring.publish(slot);`,
    replace: `    this.#ring.publish(slot);
    words[slot + MAIL_ACTOR] = actor;
    words[slot + MAIL_CODE] = code;
    words[slot + MAIL_SENDER] = sender;
    words[slot + MAIL_A] = a;
    words[slot + MAIL_B] = b;
    words[slot + MAIL_C] = c;
    words[slot + MAIL_D] = d;`,
    scenario: 'structures/mailbox',
  },
  {
    name: 'nobody rings',
    module,
    find: 'this.#doorbell.ring(); // [W]',
    replace: '',
    scenario: 'structures/mailbox',
  },
  {
    name: 'the reader gives the slot back before it has read the event',
    module,
    find: `      const actor = words[slot + MAIL_ACTOR];
      const code = words[slot + MAIL_CODE];
      const sender = words[slot + MAIL_SENDER];
      const a = words[slot + MAIL_A];
      const b = words[slot + MAIL_B];
      const c = words[slot + MAIL_C];
      const d = words[slot + MAIL_D];
      ring.next();
      ring.release();`,
    replace: `      ring.next();
      ring.release();
      const actor = words[slot + MAIL_ACTOR];
      const code = words[slot + MAIL_CODE];
      const sender = words[slot + MAIL_SENDER];
      const a = words[slot + MAIL_A];
      const b = words[slot + MAIL_B];
      const c = words[slot + MAIL_C];
      const d = words[slot + MAIL_D];`,
    scenario: 'structures/mailbox-laps',
  },
  {
    name: 'the reader sleeps without saying so',
    module: doorbell,
    find: 'Atomics.store(this.#words, this.#parked, 1); // [W]',
    replace: '',
    scenario: 'structures/mailbox-async',
  },
  {
    name: 'the reader says so only after it has looked',
    module: doorbell,
    find: 'const wait = Atomics.waitAsync(this.#words, this.#seq, seen, timeoutMs);',
    replace:
      'const wait = Atomics.waitAsync(this.#words, this.#seq, Atomics.load(this.#words, this.#seq), timeoutMs); void seen;',
    scenario: 'structures/mailbox-async',
  },
  {
    name: 'who rings notifies before it counts the ring',
    module: doorbell,
    find: `    Atomics.add(this.#words, this.#seq, 1);
    // To all: a waitAsync that its host stopped caring about is still queued, and must not take a notify meant for the next one.
    if (Atomics.load(this.#words, this.#parked) === 1) Atomics.notify(this.#words, this.#seq); // [W]`,
    replace: `    if (Atomics.load(this.#words, this.#parked) === 1) Atomics.notify(this.#words, this.#seq);

    Atomics.add(this.#words, this.#seq, 1);`,
    scenario: 'structures/mailbox-async',
  },
  {
    name: 'who rings wakes one sleeper only',
    module: doorbell,
    find: 'Atomics.notify(this.#words, this.#seq); // [W]',
    replace: 'Atomics.notify(this.#words, this.#seq, 1);',
    scenario: 'structures/mailbox-abandoned',
  },
  {
    name: 'the reader says that it sleeps after it has looked for work',
    module: doorbell,
    find: `    const seen = this.prepare();
    try {
      if (!hasWork()) Atomics.wait(this.#words, this.#seq, seen, timeoutMs);`,
    replace: `    const work = hasWork(), seen = this.prepare();
    try {
      if (!work) Atomics.wait(this.#words, this.#seq, seen, timeoutMs);`,
    scenario: 'structures/mailbox',
  },
];
