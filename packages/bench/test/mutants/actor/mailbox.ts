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
    find: 'words[slot + MAIL_ACTOR] = actor;',
    replace: 'this.#ring.publish(slot); words[slot + MAIL_ACTOR] = actor;',
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
    find: `      const actor = words[slot + MAIL_ACTOR];`,
    replace: `      ring.next(); ring.release(); const actor = words[slot + MAIL_ACTOR];`,
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
    name: 'who rings looks for a sleeper first',
    module: doorbell,
    find: `    Atomics.add(this.#words, this.#seq, 1);
`,
    replace: `    const parked = Atomics.load(this.#words, this.#parked) === 1; Atomics.add(this.#words, this.#seq, 1); if (!parked) return;
`,
    scenario: 'structures/mailbox-async',
  },
];
