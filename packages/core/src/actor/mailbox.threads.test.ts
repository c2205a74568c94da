import { expect, test } from 'vitest';
import { ActorSystem } from './actor-system.ts';
import { OUT_OF_ORDER, TAKEN_FROM, WRONG_PAYLOAD } from './testing/flood.test-setup.ts';
import { testArena } from './testing/system.test-help.ts';

const FLOOD = new URL('./testing/flood.test-setup.ts', import.meta.url);
const SENDERS = 3;
const COUNT = 50_000;

// A small mailbox is full most of the time, so that claims, refusals and laps of the ring are met thousands of times.
test.each([4, 256])('events of 3 senders arrive in order per sender, exactly once (mailbox of %i)', async (entries) => {
  const seed = (Math.random() * 2 ** 31) | 1;
  console.log(`seed ${seed}`);
  const arena = testArena(SENDERS + 1, entries);
  const names = ['sink', 'first', 'second', 'third'];
  const system = await ActorSystem.start({
    arena,
    hosts: names.map((name, sender) => ({
      name,
      setup: FLOOD,
      data: { sender, senders: SENDERS, count: COUNT, seed },
      self: { id: sender + 1, spins: 0 },
    })),
    actors: {
      sender1: { id: 1, host: 'first' },
      sender2: { id: 2, host: 'second' },
      sender3: { id: 3, host: 'third' },
      sink: { id: 4, host: 'sink' },
      intake: { id: 5, host: 'sink' },
    },
    events: ['number', 'go', 'filled'],
    states: ['filling', 'full'],
  });
  for (let sender = 1; sender <= SENDERS; sender++) system.send(`sender${sender}`, 'go');
  await system.reached('sink', 'full');
  const reports = await system.stop();
  const at = arena.base('test');
  const taken = [1, 2, 3].map((sender) => arena.words[at + TAKEN_FROM + sender]);
  expect({
    outOfOrder: arena.words[at + OUT_OF_ORDER],
    wrong: arena.words[at + WRONG_PAYLOAD],
    taken,
    events: reports[0].exit?.events,
  }).toEqual({ outOfOrder: 0, wrong: 0, taken: [COUNT, COUNT, COUNT], events: SENDERS * COUNT + 2 });
});
